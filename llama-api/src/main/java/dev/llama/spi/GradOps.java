package dev.llama.spi;

/**
 * The gradients of {@link Ops}: one twin for each differentiable operation, and what training needs
 * besides. {@code dX} is the gradient of the loss with respect to {@code x}, of the same shape.
 * Gradients of activations are SET, gradients of weights are ADDED to what is there. Everything is
 * F32 unless stated. The rules of {@link Ops} on enqueueing, overlap and threads hold.
 */
public interface GradOps {
  /**
   * Twin of {@link Ops#embed}: {@code dTable[tokens[r]] += dOut[r]}.
   *
   * @param dTable [vocabulary, width], added to
   * @param dOut [rows, width]
   * @param tokens I32 [rows]
   */
  void embed(Tensor dTable, Tensor dOut, Tensor tokens);

  /**
   * Twin of {@link Ops#rmsNorm}.
   *
   * @param dX [rows, width], set
   * @param dWeight [width], added to
   * @param dOut [rows, width]
   * @param x [rows, width]
   * @param weight [width]
   * @param rstd [rows], as the forward operation left it
   */
  void rmsNorm(Tensor dX, Tensor dWeight, Tensor dOut, Tensor x, Tensor weight, Tensor rstd);

  /**
   * Twin of {@link Ops#layerNorm}.
   *
   * @param dX [rows, width], set
   * @param dWeight [width], added to
   * @param dBias [width], added to
   * @param dOut [rows, width]
   * @param x [rows, width]
   * @param weight [width]
   * @param mean [rows], as the forward operation left it
   * @param rstd [rows], as the forward operation left it
   */
  void layerNorm(
      Tensor dX,
      Tensor dWeight,
      Tensor dBias,
      Tensor dOut,
      Tensor x,
      Tensor weight,
      Tensor mean,
      Tensor rstd);

  /**
   * Twin of {@link Ops#matmul}: {@code dX (=|+=) dOut · weight}, {@code dWeight += dOutᵀ · x}.
   *
   * @param dX [rows, inputs], or {@code null} if it is not needed
   * @param dWeight [outputs, inputs], added to, or {@code null} if it is not needed
   * @param dOut [rows, outputs]
   * @param x [rows, inputs]
   * @param weight [outputs, inputs]; of any supported type if {@code dWeight} is null
   * @param write of dX: ADD where several products share an input
   */
  void matmul(Tensor dX, Tensor dWeight, Tensor dOut, Tensor x, Tensor weight, Ops.Write write);

  /**
   * Twin of {@link Ops#addBias}: {@code dBias += sum of the rows of dOut}.
   *
   * @param dBias [width], added to
   * @param dOut [rows, width]
   */
  void addBias(Tensor dBias, Tensor dOut);

  /**
   * Twin of {@link Ops#rope}: the inverse rotation, in place.
   *
   * @param dQ [rows, heads * headDim], in place
   * @param dK [rows, keyValueHeads * headDim], in place
   * @param positions I32 [rows]
   * @param table frequencies
   */
  void rope(Tensor dQ, Tensor dK, Tensor positions, RopeTable table);

  /**
   * Twin of {@link Ops#attention} for batches without caches (Dao et al. 2022, algorithm 4).
   *
   * @param dQ [rows, heads * headDim], set
   * @param dK [rows, keyValueHeads * headDim], set
   * @param dV [rows, keyValueHeads * headDim], set
   * @param dOut [rows, heads * headDim]
   * @param out [rows, heads * headDim], as the forward operation left it
   * @param lse [rows, heads], as the forward operation left it
   * @param q [rows, heads * headDim]
   * @param k [rows, keyValueHeads * headDim]
   * @param v [rows, keyValueHeads * headDim]
   * @param batch sequences and positions of the rows
   * @param spec heads, scale, window, dropout
   */
  void attention(
      Tensor dQ,
      Tensor dK,
      Tensor dV,
      Tensor dOut,
      Tensor out,
      Tensor lse,
      Tensor q,
      Tensor k,
      Tensor v,
      Batch batch,
      AttentionSpec spec);

  /**
   * Twin of {@link Ops#swiGlu}.
   *
   * @param dGate [rows, width], set; may be {@code dOut}
   * @param dUp [rows, width], set
   * @param dOut [rows, width]
   * @param gate [rows, width]
   * @param up [rows, width]
   */
  void swiGlu(Tensor dGate, Tensor dUp, Tensor dOut, Tensor gate, Tensor up);

  /**
   * Twin of {@link Ops#gelu}.
   *
   * @param dX [rows, width], set; may be {@code dOut}
   * @param dOut [rows, width]
   * @param x [rows, width]
   */
  void gelu(Tensor dX, Tensor dOut, Tensor x);

  /**
   * Softmax cross-entropy and its gradient in one operation: {@code loss[r] = lse(logits[r]) -
   * logits[r][targets[r]]}, {@code dLogits = (softmax(logits) - onehot(targets)) * scale}. Rows
   * with target -1 have loss 0 and gradient 0.
   *
   * @param loss [rows], natural logarithm
   * @param dLogits [rows, vocabulary]; may be {@code logits}; {@code null} for the loss alone
   * @param logits [rows, vocabulary]
   * @param targets I32 [rows], -1 for none
   * @param scale [1], usually 1 / number of targets
   */
  void crossEntropy(Tensor loss, Tensor dLogits, Tensor logits, Tensor targets, Tensor scale);

  /**
   * Sum of squares, for the norm of gradients: {@code sum[0] += sum(x * x)}.
   *
   * @param sum [1], added to
   * @param x any shape
   */
  void sumOfSquares(Tensor sum, Tensor x);

  /**
   * AdamW (Loshchilov and Hutter 2019, algorithm 2). With {@code g = gradient * clip}: {@code m =
   * beta1 m + (1 - beta1) g}, {@code v = beta2 v + (1 - beta2) g²}, {@code w = w (1 - lr decay) -
   * lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)}.
   *
   * @param weight any shape, in place
   * @param m first moment, of the same shape, in place
   * @param v second moment, of the same shape, in place
   * @param gradient of the same shape
   * @param step [4]: lr, 1 - beta1^t, 1 - beta2^t, clip; changes from step to step
   * @param beta1 decay of the first moment
   * @param beta2 decay of the second moment
   * @param eps added to the denominator
   * @param decay decoupled weight decay
   */
  void adamW(
      Tensor weight,
      Tensor m,
      Tensor v,
      Tensor gradient,
      Tensor step,
      float beta1,
      float beta2,
      float eps,
      float decay);
}
