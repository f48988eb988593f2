package dev.llama;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * The definition of one layer: its sizes, the names and shapes of its weights, its number of
 * parameters, and how it can be split over devices. {@link ModelConfig#layers()} makes them; the
 * decoder, the loader of weights, the counts and the estimates read them.
 */
public sealed interface Layer {

  /**
   * Returns the layer's place in the model.
   *
   * @return for instance {@code "model.layers.0.self_attn"}
   */
  String name();

  /**
   * Returns the weights that belong to this layer alone, by their names in a checkpoint.
   *
   * @return matrices are [outputs, inputs], vectors [size]
   */
  List<Weight> weights();

  /**
   * Returns how the layer can be split over devices.
   *
   * @return empty if every device needs a whole copy
   */
  Set<Parallelism> parallelism();

  /**
   * Returns the number of parameters.
   *
   * @return sum over {@link #weights()}
   */
  default long parameterCount() {
    long count = 0;
    for (Weight weight : weights()) {
      count = Math.addExact(count, weight.elements());
    }
    return count;
  }

  /** A way to split a layer over devices. */
  enum Parallelism {
    /** Each device holds a slice of the weights (Shoeybi et al. 2019, Megatron-LM, section 3). */
    TENSOR,
    /** Each device holds a slice of the sequence's activations (Korthikanti et al. 2022). */
    SEQUENCE,
    /** Each device attends with a slice of the context (Liu et al. 2023, ring attention). */
    CONTEXT
  }

  /** What a norm subtracts and divides by. */
  enum NormKind {
    /** Root mean square (Zhang and Sennrich 2019). */
    RMS_NORM,
    /** Mean and standard deviation, with a bias (Ba et al. 2016). */
    LAYER_NORM
  }

  /**
   * A tensor of parameters.
   *
   * @param name in a checkpoint
   * @param shape [outputs, inputs] or [size]
   */
  record Weight(String name, List<Long> shape) {
    /** Copies the list. */
    public Weight {
      shape = List.copyOf(shape);
    }

    /**
     * A tensor of parameters.
     *
     * @param name in a checkpoint
     * @param shape [outputs, inputs] or [size]
     */
    public Weight(String name, long... shape) {
      this(name, list(shape));
    }

    private static List<Long> list(long[] shape) {
      List<Long> list = new ArrayList<>(shape.length);
      for (long size : shape) {
        list.add(size);
      }
      return list;
    }

    /**
     * Returns the number of elements.
     *
     * @return product of the shape
     */
    public long elements() {
      long product = 1;
      for (long size : shape) {
        product = Math.multiplyExact(product, size);
      }
      return product;
    }
  }

  /**
   * Token ids to vectors.
   *
   * @param name place in the model
   * @param vocabSize rows
   * @param hiddenSize width
   */
  record Embedding(String name, int vocabSize, int hiddenSize) implements Layer {
    @Override
    public List<Weight> weights() {
      return List.of(new Weight(name + ".weight", vocabSize, hiddenSize));
    }

    @Override
    public Set<Parallelism> parallelism() {
      return EnumSet.of(Parallelism.TENSOR);
    }
  }

  /** Causal self-attention with rotary positions, whatever the number of key heads. */
  sealed interface SelfAttention extends Layer {
    /**
     * Returns the width of input and output.
     *
     * @return hidden size
     */
    int hiddenSize();

    /**
     * Returns the number of query heads.
     *
     * @return heads
     */
    int numHeads();

    /**
     * Returns the number of key and value heads.
     *
     * @return a divisor of {@link #numHeads()}
     */
    int numKvHeads();

    /**
     * Returns the width of a head.
     *
     * @return an even number
     */
    int headDim();

    /**
     * Returns whether the four projections have biases.
     *
     * @return attention_bias
     */
    boolean hasBias();

    @Override
    default List<Weight> weights() {
      long queryWidth = (long) numHeads() * headDim();
      long keyWidth = (long) numKvHeads() * headDim();
      List<Weight> weights = new ArrayList<>();
      addLinear(weights, name() + ".q_proj", queryWidth, hiddenSize(), hasBias());
      addLinear(weights, name() + ".k_proj", keyWidth, hiddenSize(), hasBias());
      addLinear(weights, name() + ".v_proj", keyWidth, hiddenSize(), hasBias());
      addLinear(weights, name() + ".o_proj", hiddenSize(), queryWidth, hasBias());
      return weights;
    }

    @Override
    default Set<Parallelism> parallelism() {
      return EnumSet.of(Parallelism.TENSOR, Parallelism.CONTEXT);
    }
  }

  /**
   * Multi-head attention: a key head for every query head (Vaswani et al. 2017, section 3.2.2).
   *
   * @param name place in the model
   * @param hiddenSize width of input and output
   * @param numHeads heads
   * @param headDim width of a head
   * @param hasBias whether the projections have biases
   */
  record Attention(String name, int hiddenSize, int numHeads, int headDim, boolean hasBias)
      implements SelfAttention {
    @Override
    public int numKvHeads() {
      return numHeads;
    }
  }

  /**
   * Grouped-query attention: several query heads share a key head (Ainslie et al. 2023); with one
   * key head, multi-query attention.
   *
   * @param name place in the model
   * @param hiddenSize width of input and output
   * @param numHeads query heads
   * @param numKvHeads key and value heads
   * @param headDim width of a head
   * @param hasBias whether the projections have biases
   */
  record GroupedQueryAttention(
      String name, int hiddenSize, int numHeads, int numKvHeads, int headDim, boolean hasBias)
      implements SelfAttention {}

  /**
   * {@code down(silu(gate(x)) * up(x))} (Shazeer 2020, SwiGLU).
   *
   * @param name place in the model
   * @param hiddenSize width of input and output
   * @param intermediateSize width between
   * @param hasBias whether the projections have biases
   */
  record GatedMlp(String name, int hiddenSize, int intermediateSize, boolean hasBias)
      implements Layer {
    @Override
    public List<Weight> weights() {
      List<Weight> weights = new ArrayList<>();
      addLinear(weights, name + ".gate_proj", intermediateSize, hiddenSize, hasBias);
      addLinear(weights, name + ".up_proj", intermediateSize, hiddenSize, hasBias);
      addLinear(weights, name + ".down_proj", hiddenSize, intermediateSize, hasBias);
      return weights;
    }

    @Override
    public Set<Parallelism> parallelism() {
      return EnumSet.of(Parallelism.TENSOR, Parallelism.SEQUENCE);
    }
  }

  /**
   * {@code down(gelu(up(x)))} (Vaswani et al. 2017, section 3.3, with Hendrycks and Gimpel 2016).
   *
   * @param name place in the model
   * @param hiddenSize width of input and output
   * @param intermediateSize width between
   * @param hasBias whether the projections have biases
   */
  record Mlp(String name, int hiddenSize, int intermediateSize, boolean hasBias) implements Layer {
    @Override
    public List<Weight> weights() {
      List<Weight> weights = new ArrayList<>();
      addLinear(weights, name + ".up_proj", intermediateSize, hiddenSize, hasBias);
      addLinear(weights, name + ".down_proj", hiddenSize, intermediateSize, hasBias);
      return weights;
    }

    @Override
    public Set<Parallelism> parallelism() {
      return EnumSet.of(Parallelism.TENSOR, Parallelism.SEQUENCE);
    }
  }

  /**
   * Normalisation of each row.
   *
   * @param name place in the model
   * @param hiddenSize width
   * @param kind with or without mean and bias
   * @param eps added to the mean square or variance
   */
  record Norm(String name, int hiddenSize, NormKind kind, double eps) implements Layer {
    @Override
    public List<Weight> weights() {
      Weight scale = new Weight(name + ".weight", hiddenSize);
      return kind == NormKind.RMS_NORM
          ? List.of(scale)
          : List.of(scale, new Weight(name + ".bias", hiddenSize));
    }

    @Override
    public Set<Parallelism> parallelism() {
      return EnumSet.noneOf(Parallelism.class);
    }
  }

  /**
   * Vectors to logits.
   *
   * @param name place in the model
   * @param vocabSize width of the output
   * @param hiddenSize width of the input
   * @param tied whether it uses the embedding's matrix instead of one of its own
   */
  record LmHead(String name, int vocabSize, int hiddenSize, boolean tied) implements Layer {
    @Override
    public List<Weight> weights() {
      return tied ? List.of() : List.of(new Weight(name + ".weight", vocabSize, hiddenSize));
    }

    @Override
    public Set<Parallelism> parallelism() {
      return EnumSet.of(Parallelism.TENSOR);
    }
  }

  private static void addLinear(
      List<Weight> weights, String name, long outputs, long inputs, boolean bias) {
    weights.add(new Weight(name + ".weight", outputs, inputs));
    if (bias) {
      weights.add(new Weight(name + ".bias", outputs));
    }
  }
}
