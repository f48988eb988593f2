package dev.llama;

import dev.llama.spi.ModelLoader;
import dev.llama.spi.Providers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The architecture of a model: config.json, with the file's own names in Java's spelling ({@code
 * hidden_size} is {@code hiddenSize}). GGUF metadata are translated to the same names.
 *
 * @param architectures class names that the file gives, for instance {@code LlamaForCausalLM}
 * @param modelType {@code "llama"} or {@code "mistral"}
 * @param vocabSize number of token ids
 * @param hiddenSize width of the residual stream
 * @param intermediateSize width inside the MLP
 * @param numHiddenLayers number of blocks
 * @param numAttentionHeads query heads
 * @param numKeyValueHeads key and value heads, a divisor of the query heads
 * @param headDim width of a head, even
 * @param hiddenAct activation of the MLP: {@code "silu"} for gated, {@code "gelu"} for plain
 * @param mlpType {@code "gated"} (config.json's only kind; not a field of the published format) or
 *     {@code "plain"}
 * @param normType kind of norms (not a field of the published format)
 * @param maxPositionEmbeddings largest context, in positions
 * @param rmsNormEps added to the mean square in norms
 * @param initializerRange standard deviation of initial weights
 * @param tieWordEmbeddings whether the output uses the embedding's matrix
 * @param attentionBias whether attention projections have biases
 * @param mlpBias whether MLP projections have biases
 * @param attentionDropout dropout of attention weights in training; inference ignores it
 * @param ropeTheta base of the rotary frequencies, at least 1
 * @param ropeScaling how the frequencies are stretched
 * @param slidingWindow a position sees itself and this many minus one before it; absent: all
 * @param bosTokenId token that begins a text
 * @param eosTokenIds tokens at which generation stops
 * @param padTokenId token that fills up rows in training
 * @param pretrainingTp number of slices in pre-training; results do not depend on it
 * @param useCache recorded for writing the file again; sessions always use a KV cache
 * @param torchDtype the checkpoint's type as the file names it; the tensors' own types count
 * @param transformersVersion the version that wrote the file, or empty
 * @param unknownFields fields that this library does not know, as parsed
 */
public record ModelConfig(
    List<String> architectures,
    String modelType,
    int vocabSize,
    int hiddenSize,
    int intermediateSize,
    int numHiddenLayers,
    int numAttentionHeads,
    int numKeyValueHeads,
    int headDim,
    String hiddenAct,
    String mlpType,
    Layer.NormKind normType,
    int maxPositionEmbeddings,
    double rmsNormEps,
    double initializerRange,
    boolean tieWordEmbeddings,
    boolean attentionBias,
    boolean mlpBias,
    double attentionDropout,
    double ropeTheta,
    RopeScaling ropeScaling,
    OptionalInt slidingWindow,
    OptionalInt bosTokenId,
    List<Integer> eosTokenIds,
    OptionalInt padTokenId,
    int pretrainingTp,
    boolean useCache,
    Optional<String> torchDtype,
    Optional<String> transformersVersion,
    Map<String, Object> unknownFields) {

  /** Largest size of a dimension that is accepted, far above any published model's. */
  private static final int MAX_SIZE = 1 << 24;

  /** Largest number of blocks that is accepted. */
  private static final int MAX_LAYERS = 10_000;

  /** Checks that the sizes agree and that everything asked for is implemented. */
  public ModelConfig {
    architectures = List.copyOf(architectures);
    eosTokenIds = List.copyOf(eosTokenIds);
    unknownFields = Collections.unmodifiableMap(new LinkedHashMap<>(unknownFields));
    size("vocab_size", vocabSize, MAX_SIZE);
    size("hidden_size", hiddenSize, MAX_SIZE);
    size("intermediate_size", intermediateSize, MAX_SIZE);
    size("num_hidden_layers", numHiddenLayers, MAX_LAYERS);
    size("num_attention_heads", numAttentionHeads, MAX_SIZE);
    size("num_key_value_heads", numKeyValueHeads, numAttentionHeads);
    size("head_dim", headDim, MAX_SIZE);
    size("max_position_embeddings", maxPositionEmbeddings, Integer.MAX_VALUE);
    if (slidingWindow.isPresent()) {
      size("sliding_window", slidingWindow.getAsInt(), Integer.MAX_VALUE);
    }
    require(
        numAttentionHeads % numKeyValueHeads == 0,
        "num_key_value_heads " + numKeyValueHeads + " does not divide num_attention_heads",
        numAttentionHeads);
    require(
        (long) numAttentionHeads * headDim <= MAX_SIZE, "heads times head_dim exceeds", MAX_SIZE);
    require(headDim % 2 == 0, "head_dim must be even to be rotated in pairs, but is", headDim);
    require(
        rmsNormEps >= 0 && rmsNormEps < 1, "rms_norm_eps must be in [0, 1), but is", rmsNormEps);
    require(
        initializerRange >= 0 && initializerRange <= Float.MAX_VALUE,
        "initializer_range must be at least 0, but is",
        initializerRange);
    require(
        attentionDropout >= 0 && attentionDropout < 1,
        "attention_dropout must be in [0, 1), but is",
        attentionDropout);
    require(
        ropeTheta >= 1 && ropeTheta <= Double.MAX_VALUE,
        "rope_theta must be at least 1, but is",
        ropeTheta);
    require(
        ropeTheta > 1 || !(ropeScaling instanceof RopeScaling.Yarn),
        "rope_theta must be above 1 for rope_type yarn, but is",
        ropeTheta);
    if (ropeScaling instanceof RopeScaling.Factors factors) {
      require(
          factors.divisors().size() == headDim / 2,
          "rope_scaling needs a divisor for each of the " + headDim / 2 + " pairs, but has",
          factors.divisors().size());
    }
    boolean gated = mlpType.equals("gated");
    require(gated || mlpType.equals("plain"), "mlp_type must be gated or plain, but is", mlpType);
    require(
        hiddenAct.equals(gated ? "silu" : "gelu"),
        "hidden_act must be " + (gated ? "silu for a gated" : "gelu for a plain") + " MLP, but is",
        hiddenAct);
  }

  private static void size(String name, int value, int largest) {
    if (value < 1 || value > largest) {
      throw new InvalidInputException(name + " is " + value + ", expected 1 to " + largest);
    }
  }

  private static void require(boolean ok, String message, Object value) {
    if (!ok) {
      throw new InvalidInputException(message + " " + value);
    }
  }

  /**
   * Reads the architecture of a model, without its weights.
   *
   * @param path a config.json, a folder that holds one, or a .gguf file
   * @return the architecture
   * @throws FormatException if the file is missing, broken, or asks for what is not implemented
   */
  public static ModelConfig read(Path path) {
    return Providers.require(ModelLoader.class).readConfig(path);
  }

  /**
   * Returns the architecture of a published model, for planning and for random weights: no file is
   * needed.
   *
   * @param name one of {@link #presets()}
   * @return the architecture as its authors published it
   * @throws InvalidInputException if there is no such preset; the message lists them all
   */
  public static ModelConfig preset(String name) {
    return Providers.require(ModelLoader.class).preset(name);
  }

  /**
   * Returns the names of the architectures that the library knows.
   *
   * @return for instance {@code llama-3.1-8b}; {@code tiny} is a small model for tests
   */
  public static List<String> presets() {
    return Providers.require(ModelLoader.class).presets();
  }

  /**
   * Returns the layers in the order in which a token passes them: embedding; for each block norm,
   * attention, norm, MLP; norm, output.
   *
   * @return definitions that everything else is derived from
   */
  public List<Layer> layers() {
    List<Layer> layers = new ArrayList<>(4 * numHiddenLayers + 3);
    layers.add(new Layer.Embedding("model.embed_tokens", vocabSize, hiddenSize));
    for (int i = 0; i < numHiddenLayers; i++) {
      String block = "model.layers." + i;
      layers.add(norm(block + ".input_layernorm"));
      layers.add(attention(block + ".self_attn"));
      layers.add(norm(block + ".post_attention_layernorm"));
      layers.add(mlp(block + ".mlp"));
    }
    layers.add(norm("model.norm"));
    layers.add(new Layer.LmHead("lm_head", vocabSize, hiddenSize, tieWordEmbeddings));
    return layers;
  }

  private Layer.Norm norm(String name) {
    return new Layer.Norm(name, hiddenSize, normType, rmsNormEps);
  }

  private Layer attention(String name) {
    return numKeyValueHeads == numAttentionHeads
        ? new Layer.Attention(name, hiddenSize, numAttentionHeads, headDim, attentionBias)
        : new Layer.GroupedQueryAttention(
            name, hiddenSize, numAttentionHeads, numKeyValueHeads, headDim, attentionBias);
  }

  private Layer mlp(String name) {
    return mlpType.equals("gated")
        ? new Layer.GatedMlp(name, hiddenSize, intermediateSize, mlpBias)
        : new Layer.Mlp(name, hiddenSize, intermediateSize, mlpBias);
  }

  /**
   * Returns the context of a session that asks for none in particular.
   *
   * @return positions: {@code max_position_embeddings}, or what YaRN and dynamic scaling make of it
   */
  public int contextLength() {
    if (ropeScaling instanceof RopeScaling.Dynamic dynamic) {
      return scaled(maxPositionEmbeddings, dynamic.factor());
    }
    if (ropeScaling instanceof RopeScaling.Yarn yarn) {
      return Math.max(
          maxPositionEmbeddings, scaled(yarn.originalMaxPositionEmbeddings(), yarn.factor()));
    }
    return maxPositionEmbeddings;
  }

  /**
   * Returns the largest context that a session can ask for. With linear scaling, files differ in
   * whether {@code max_position_embeddings} is the context before or after it; dynamic scaling has
   * no end.
   *
   * @return positions, at least {@link #contextLength()}
   */
  public int longestContext() {
    if (ropeScaling instanceof RopeScaling.Dynamic) {
      return Integer.MAX_VALUE;
    }
    if (ropeScaling instanceof RopeScaling.Linear linear) {
      return Math.max(contextLength(), scaled(maxPositionEmbeddings, linear.factor()));
    }
    return contextLength();
  }

  private static int scaled(int positions, double factor) {
    return (int) Math.min(Integer.MAX_VALUE, positions * factor);
  }

  /**
   * Returns the number of parameters; a tied output counts once.
   *
   * @return sum over {@link #layers()}
   */
  public long parameterCount() {
    return layers().stream().mapToLong(Layer::parameterCount).sum();
  }

  /**
   * Returns the size of the keys and values of a number of positions over all layers.
   *
   * @param positions tokens in the cache
   * @param type element type
   * @return bytes
   */
  public long kvCacheBytes(long positions, DType type) {
    return type.bytes(2L * numHiddenLayers * numKeyValueHeads * headDim) * positions;
  }
}
