package dev.llama.spi;

/**
 * The operations that a model is made of. Output first. Calls enqueue: they allocate nothing, and
 * results can be relied upon only after {@link Backend#read}; whatever is enqueued later sees them.
 *
 * <p>Activations are F32, [rows, width]; weights are what {@link Backend#load} made, or F32 tensors
 * that {@link Backend#allocate} made; {@code rows} is the same for all activations of a call.
 * Outputs do not overlap inputs unless stated. The caller guarantees shapes; implementations assert
 * them.
 *
 * <p>Operations may be called from several threads at once, with different outputs.
 *
 * <p>Composites are default methods made of the primitives. A backend overrides one only where it
 * has measured a win.
 */
public interface Ops {
  /** What an operation does with the old contents of its output. */
  enum Write {
    /** Overwrites them. */
    SET,
    /** Adds to them. */
    ADD
  }

  /**
   * Selects rows: {@code out[r] = table[rows[r]]}.
   *
   * @param out [rows, width]
   * @param table weights or activations, [n, width]
   * @param indices I32 [rows], each in [0, n)
   */
  void embed(Tensor out, Tensor table, Tensor indices);

  /**
   * Root-mean-square norm (Zhang and Sennrich 2019, equation 4): {@code out = x * rstd * weight},
   * {@code rstd = 1 / sqrt(mean(x * x) + eps)}.
   *
   * @param out [rows, width]; may be {@code x}
   * @param rstd [rows], or {@code null} if it is not needed afterwards
   * @param x [rows, width]
   * @param weight [width]
   * @param eps added to the mean square
   */
  void rmsNorm(Tensor out, Tensor rstd, Tensor x, Tensor weight, float eps);

  /**
   * Layer norm (Ba et al. 2016): {@code out = (x - mean) * rstd * weight + bias}, {@code rstd = 1 /
   * sqrt(variance + eps)} with the variance divided by width.
   *
   * @param out [rows, width]; may be {@code x}
   * @param mean [rows], or {@code null} if it is not needed afterwards
   * @param rstd [rows], or {@code null} if it is not needed afterwards
   * @param x [rows, width]
   * @param weight [width]
   * @param bias [width]
   * @param eps added to the variance
   */
  void layerNorm(
      Tensor out, Tensor mean, Tensor rstd, Tensor x, Tensor weight, Tensor bias, float eps);

  /**
   * Matrix product {@code out (=|+=) x · weightᵀ}.
   *
   * @param out [rows, outputs]
   * @param x [rows, inputs]
   * @param weight [outputs, inputs], of any supported type
   * @param write SET or ADD
   */
  void matmul(Tensor out, Tensor x, Tensor weight, Write write);

  /**
   * Adds a vector to every row: {@code x += bias}.
   *
   * @param x [rows, width], in place
   * @param bias [width]
   */
  void addBias(Tensor x, Tensor bias);

  /**
   * Adds activations: {@code x += y}.
   *
   * @param x [rows, width], in place
   * @param y [rows, width]
   */
  void add(Tensor x, Tensor y);

  /**
   * Rotates queries and keys in place (Su et al. 2021).
   *
   * @param q [rows, heads * headDim]
   * @param k [rows, keyValueHeads * headDim]
   * @param positions I32 [rows]
   * @param table frequencies, which determine headDim, and pairing
   */
  void rope(Tensor q, Tensor k, Tensor positions, RopeTable table);

  /**
   * Causal attention. Appends each row's key and value to its sequence's cache at the row's
   * position; then each row attends to the positions of its sequence up to its own, as far as the
   * window reaches: {@code out = softmax(scale * q · Kᵀ) · V} for each head (Vaswani et al. 2017,
   * equation 1).
   *
   * @param out [rows, heads * headDim]
   * @param lse natural logarithm of the softmax's denominator, [rows, heads], or {@code null} if it
   *     is not needed afterwards
   * @param q [rows, heads * headDim]
   * @param k [rows, keyValueHeads * headDim]
   * @param v [rows, keyValueHeads * headDim]
   * @param batch sequences and positions of the rows
   * @param spec heads, scale, window, layer; dropout, for sequences without caches only
   */
  void attention(
      Tensor out, Tensor lse, Tensor q, Tensor k, Tensor v, Batch batch, AttentionSpec spec);

  /**
   * Gated activation (Shazeer 2020): {@code out = gate * sigmoid(gate) * up}.
   *
   * @param out [rows, width]; may be {@code gate} or {@code up}
   * @param gate [rows, width]
   * @param up [rows, width]
   */
  void swiGlu(Tensor out, Tensor gate, Tensor up);

  /**
   * Gaussian error linear unit, exact (Hendrycks and Gimpel 2016): {@code out = x * (1 + erf(x /
   * sqrt(2))) / 2}.
   *
   * @param out [rows, width]; may be {@code x}
   * @param x [rows, width]
   */
  void gelu(Tensor out, Tensor x);

  /**
   * Column of the largest element of each row, the first among equals; {@link Draw#NOTHING} if that
   * element is infinite, or all are NaN. A row that holds NaN among others yields {@link
   * Draw#NOTHING} or some column of the row.
   *
   * @param out I32 [rows]
   * @param x [rows, width]
   */
  void argmax(Tensor out, Tensor x);

  /**
   * Composite: the three projections of attention.
   *
   * @param q [rows, heads * headDim]
   * @param k [rows, keyValueHeads * headDim]
   * @param v [rows, keyValueHeads * headDim]
   * @param x [rows, hidden]
   * @param queryWeight [heads * headDim, hidden]
   * @param keyWeight [keyValueHeads * headDim, hidden]
   * @param valueWeight [keyValueHeads * headDim, hidden]
   */
  default void qkv(
      Tensor q,
      Tensor k,
      Tensor v,
      Tensor x,
      Tensor queryWeight,
      Tensor keyWeight,
      Tensor valueWeight) {
    matmul(q, x, queryWeight, Write.SET);
    matmul(k, x, keyWeight, Write.SET);
    matmul(v, x, valueWeight, Write.SET);
  }

  /**
   * Composite: the first half of a gated MLP, {@code gate = swiGlu(x · gateWeightᵀ, x ·
   * upWeightᵀ)}.
   *
   * @param gate the result, [rows, intermediate]
   * @param up work space, [rows, intermediate]
   * @param x [rows, hidden]
   * @param gateWeight [intermediate, hidden]
   * @param upWeight [intermediate, hidden]
   */
  default void gateUp(Tensor gate, Tensor up, Tensor x, Tensor gateWeight, Tensor upWeight) {
    matmul(gate, x, gateWeight, Write.SET);
    matmul(up, x, upWeight, Write.SET);
    swiGlu(gate, gate, up);
  }
}
