package dev.llama.core.files;

import static dev.llama.core.files.Faults.fault;

import dev.llama.DType;
import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.Layer;
import dev.llama.ModelConfig;
import dev.llama.RopeScaling;
import dev.llama.core.json.Fields;
import dev.llama.spi.TensorData;
import java.nio.FloatBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Translates the metadata of a GGUF file to the names of config.json. What asks for something that
 * is not implemented is refused by name; a key that is not known is kept and reported.
 */
final class GgufConfig {

  private static final String ARCHITECTURE = "llama";
  private static final String PREFIX = ARCHITECTURE + ".";

  /** Says how the file was made, not what to compute. */
  private static final Set<String> HARMLESS =
      Set.of(
          "llama.tensor_data_layout",
          "llama.rope.scaling.finetuned",
          "llama.expert_used_count",
          "llama.leading_dense_block_count",
          "llama.expert_feed_forward_length");

  /** Keys that change the results, and the value with which they do not. */
  private static final Map<String, Object> NOT_IMPLEMENTED =
      Map.ofEntries(
          Map.entry("llama.expert_count", 0.0),
          Map.entry("llama.use_parallel_residual", false),
          Map.entry("llama.attention.causal", true),
          Map.entry("llama.attention.clamp_kqv", 0.0),
          Map.entry("llama.attention.max_alibi_bias", 0.0),
          Map.entry("llama.attention.scale", 0.0),
          Map.entry("llama.attention.temperature_scale", 0.0),
          Map.entry("llama.attn_logit_softcapping", 0.0),
          Map.entry("llama.final_logit_softcapping", 0.0),
          Map.entry("llama.logit_scale", 1.0),
          Map.entry("llama.embedding_scale", 1.0),
          Map.entry("llama.residual_scale", 1.0),
          Map.entry("llama.rope.scaling.yarn_log_multiplier", 0.0));

  private static final double DEFAULT_THETA = 10_000;

  /** GGUF does not say; the default of config.json. */
  private static final double DEFAULT_INITIALIZER_RANGE = 0.02;

  private final GgufFile gguf;
  private final Path path;
  private final Fields fields;

  GgufConfig(GgufFile gguf) {
    this.gguf = gguf;
    this.path = gguf.path();
    this.fields = new Fields(path, gguf.metadata());
  }

  ModelConfig read() {
    String architecture = fields.optionalString("general.architecture").orElse("");
    if (architecture.isEmpty()) {
      throw fields.error("general.architecture", "\"" + ARCHITECTURE + "\"");
    }
    if (!architecture.equals(ARCHITECTURE)) {
      throw fields.error(
          "general.architecture", "\"" + ARCHITECTURE + "\"; no other family is implemented");
    }
    refuseWhatIsNotImplemented();
    try {
      return config();
    } catch (InvalidInputException e) {
      throw new FormatException(path, e.getMessage(), e);
    }
  }

  private void refuseWhatIsNotImplemented() {
    for (Map.Entry<String, Object> entry : gguf.metadata().entrySet()) {
      Object value = entry.getValue();
      if (entry.getKey().startsWith(PREFIX)
          && (value instanceof List || value.getClass().isArray())) {
        throw fault(
            path,
            "%s is an array; values that differ from layer to layer are not implemented",
            entry.getKey());
      }
    }
    for (Map.Entry<String, Object> entry : NOT_IMPLEMENTED.entrySet()) {
      Object value = fields.get(entry.getKey());
      Object comparable = value instanceof Number number ? number.doubleValue() : value;
      if (value != null && !comparable.equals(entry.getValue())) {
        throw fault(path, "%s is %s, which is not implemented", entry.getKey(), value);
      }
    }
    List<String> foreign = gguf.foreignTensors();
    if (!foreign.isEmpty()) {
      throw fault(
          path,
          "holds %d tensors that are no part of a Llama, for instance %s; what they are for is not"
              + " implemented",
          foreign.size(),
          foreign.get(0));
    }
  }

  private ModelConfig config() {
    int hiddenSize = fields.requireInt("llama.embedding_length");
    int heads = fields.requireInt("llama.attention.head_count");
    int headDim = headDim(hiddenSize, heads);
    int context = fields.requireInt("llama.context_length");
    int vocabSize = vocabSize();
    OptionalInt window = slidingWindow();
    return new ModelConfig(
        List.of(window.isPresent() ? "MistralForCausalLM" : "LlamaForCausalLM"),
        window.isPresent() ? "mistral" : "llama",
        vocabSize,
        hiddenSize,
        fields.requireInt("llama.feed_forward_length"),
        fields.requireInt("llama.block_count"),
        heads,
        fields.optionalInt("llama.attention.head_count_kv").orElse(heads),
        headDim,
        "silu",
        "gated",
        Layer.NormKind.RMS_NORM,
        context,
        decimal(fields.requireDouble("llama.attention.layer_norm_rms_epsilon")),
        DEFAULT_INITIALIZER_RANGE,
        !gguf.tensors().containsKey("lm_head.weight"),
        hasBias("self_attn"),
        hasBias("mlp"),
        0,
        decimal(fields.optionalDouble("llama.rope.freq_base").orElse(DEFAULT_THETA)),
        ropeScaling(headDim, context),
        window,
        tokenId("bos", vocabSize),
        stopTokens(vocabSize),
        tokenId("padding", vocabSize),
        1,
        true,
        Optional.empty(),
        Optional.empty(),
        unknownFields());
  }

  /** Width of a head; keys, values and rotation must agree on it. */
  private int headDim(int hiddenSize, int heads) {
    if (heads < 1) {
      throw fields.error("llama.attention.head_count", "at least 1");
    }
    OptionalInt keyLength = fields.optionalInt("llama.attention.key_length");
    if (!keyLength.isPresent() && hiddenSize % heads != 0) {
      throw fields.error(
          "llama.embedding_length",
          "a multiple of llama.attention.head_count " + heads + ", or llama.attention.key_length");
    }
    int headDim = keyLength.orElse(hiddenSize / heads);
    requireHeadDim("llama.attention.value_length", headDim);
    requireHeadDim("llama.rope.dimension_count", headDim);
    return headDim;
  }

  private void requireHeadDim(String key, int headDim) {
    if (fields.optionalInt(key).orElse(headDim) != headDim) {
      throw fields.error(key, headDim + ", the width of a head; others are not implemented");
    }
  }

  /** The list of tokens counts where there is one, as it does for llama.cpp. */
  private int vocabSize() {
    OptionalInt given = fields.optionalInt("llama.vocab_size");
    if (fields.get("tokenizer.ggml.tokens") instanceof List<?> tokens) {
      return tokens.size();
    }
    if (!given.isPresent()) {
      throw fields.error("llama.vocab_size", "an integer, or a list tokenizer.ggml.tokens");
    }
    return given.getAsInt();
  }

  /** What makes a model a Mistral; GGUF calls both families llama. */
  private OptionalInt slidingWindow() {
    OptionalInt window = fields.optionalInt("llama.attention.sliding_window");
    return window.isPresent() && window.getAsInt() == 0 ? OptionalInt.empty() : window;
  }

  private boolean hasBias(String part) {
    for (String name : gguf.tensors().keySet()) {
      if (name.endsWith(".bias") && name.contains("." + part + ".")) {
        return true;
      }
    }
    return false;
  }

  private RopeScaling ropeScaling(int headDim, int context) {
    OptionalDouble factor = fields.optionalDouble("llama.rope.scaling.factor");
    OptionalDouble oldFactor = fields.optionalDouble("llama.rope.scale_linear");
    double stretch = factor.isPresent() ? factor.getAsDouble() : oldFactor.orElse(0);
    // As in llama.cpp: without a type it is linear, and a factor of 0 or 1 does nothing.
    String type = fields.optionalString("llama.rope.scaling.type").orElse("linear");
    boolean stretched = !type.equals("none") && stretch != 0 && stretch != 1;
    if (stretched && gguf.ropeFactors() != null) {
      throw fault(
          path,
          "has rope_freqs.weight and llama.rope.scaling.type %s with factor %s; both together are"
              + " not implemented",
          type,
          stretch);
    }
    RopeScaling scaling =
        switch (type) {
          case "none", "linear" ->
              stretched ? new RopeScaling.Linear(decimal(stretch)) : new RopeScaling.None();
          case "yarn" -> yarn(stretched ? decimal(stretch) : 1, context);
          default ->
              throw fields.error(
                  "llama.rope.scaling.type", "none, linear or yarn; others are not implemented");
        };
    return gguf.ropeFactors() == null ? scaling : factors(gguf.ropeFactors(), headDim);
  }

  private RopeScaling yarn(double factor, int context) {
    double magnitude =
        decimal(fields.optionalDouble("llama.rope.scaling.attn_factor").orElse(1))
            * decimal(fields.optionalDouble("llama.rope.scaling.yarn_attn_factor").orElse(1));
    double extrapolation = fields.optionalDouble("llama.rope.scaling.yarn_ext_factor").orElse(1);
    if (extrapolation != 1) {
      throw fields.error("llama.rope.scaling.yarn_ext_factor", "1; others are not implemented");
    }
    return new RopeScaling.Yarn(
        factor,
        fields.optionalInt("llama.rope.scaling.original_context_length").orElse(context),
        decimal(fields.optionalDouble("llama.rope.scaling.yarn_beta_fast").orElse(32)),
        decimal(fields.optionalDouble("llama.rope.scaling.yarn_beta_slow").orElse(1)),
        magnitude * (0.1 * Math.log(factor) + 1));
  }

  private RopeScaling factors(TensorData tensor, int headDim) {
    if (tensor.type() != DType.F32 || !Arrays.equals(tensor.shape(), new long[] {headDim / 2})) {
      throw fault(
          path,
          "rope_freqs.weight is %s %s, expected F32 [%d]",
          tensor.type(),
          Arrays.toString(tensor.shape()),
          headDim / 2);
    }
    FloatBuffer values = tensor.bytes(0, Math.toIntExact(tensor.byteSize())).asFloatBuffer();
    List<Float> divisors = new ArrayList<>(values.remaining());
    while (values.hasRemaining()) {
      divisors.add(values.get());
    }
    return new RopeScaling.Factors(divisors);
  }

  /** Every token at which a model may end its turn. */
  private List<Integer> stopTokens(int vocabSize) {
    List<Integer> ids = new ArrayList<>();
    for (String name : new String[] {"eos", "eot", "eom"}) {
      OptionalInt id = tokenId(name, vocabSize);
      if (id.isPresent() && !ids.contains(id.getAsInt())) {
        ids.add(id.getAsInt());
      }
    }
    return ids;
  }

  /** Converters write ids outside the vocabulary for "none", so that they are no reason to fail. */
  private OptionalInt tokenId(String name, int vocabSize) {
    String key = "tokenizer.ggml." + name + "_token_id";
    Object value = fields.get(key);
    if (value == null) {
      return OptionalInt.empty();
    }
    if (!(value instanceof Long id)) {
      throw fields.error(key, "a token id");
    }
    if (id < 0 || id >= vocabSize) {
      log()
          .warn(
              "{}: {} is {}, outside the vocabulary of {}, and ignored", path, key, id, vocabSize);
      return OptionalInt.empty();
    }
    return OptionalInt.of(id.intValue());
  }

  /** 32-bit floats as the decimal numbers that they were written as: 1e-5, not 9.99999975e-6. */
  private static double decimal(double value) {
    float narrow = (float) value;
    return narrow == value ? Double.parseDouble(Float.toString(narrow)) : value;
  }

  private Map<String, Object> unknownFields() {
    fields.skip(HARMLESS);
    Map<String, Object> unknown = new LinkedHashMap<>();
    for (Map.Entry<String, Object> entry : fields.rest().entrySet()) {
      if (entry.getKey().startsWith(PREFIX)) {
        unknown.put(entry.getKey(), entry.getValue());
      }
    }
    if (!unknown.isEmpty()) {
      log()
          .warn(
              "{}: keys that are not known and ignored: {}", path, new TreeSet<>(unknown.keySet()));
    }
    return unknown;
  }

  /** Not a field: what logs nothing need not start the logging of the application. */
  private static Logger log() {
    return LoggerFactory.getLogger(GgufConfig.class);
  }
}
