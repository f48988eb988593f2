package dev.llama.core.config;

import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.Layer;
import dev.llama.ModelConfig;
import dev.llama.core.json.Fields;
import dev.llama.core.json.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads config.json in the published Llama and Mistral formats: the first generation's, the classic
 * one ({@code rope_theta}, {@code rope_scaling}, {@code torch_dtype}) and that of transformers 5
 * ({@code rope_parameters}, {@code dtype}). What is absent has the default of that format; a size
 * that nothing but the file can know must be there. A field that asks for what is not implemented
 * is refused by name; an unknown one is kept and reported.
 */
public final class ConfigReader {
  /** {@code rms_norm_eps} of a file that has none. */
  public static final double DEFAULT_NORM_EPS = 1e-6;

  private static final Logger LOG = LoggerFactory.getLogger(ConfigReader.class);

  private static final long MAX_BYTES = 16 << 20;

  private static final Map<String, String> FAMILIES =
      Map.of(
          "LlamaForCausalLM", "llama",
          "LLaMAForCausalLM", "llama",
          "MistralForCausalLM", "mistral");

  /** Fields that leave the decoder's results alone, whatever they say. */
  private static final Set<String> HARMLESS =
      new LinkedHashSet<>(
          Arrays.asList(
              // where the file comes from, and how transformers is to run it
              "_name_or_path",
              "_attn_implementation",
              "_attn_implementation_internal",
              "attn_implementation",
              "_attn_implementation_autoset",
              "_commit_hash",
              "_flash_attn_2_enabled",
              "attn_config",
              "experts_implementation",
              "gradient_checkpointing",
              "use_bfloat16",
              "tf_legacy_loss",
              "torchscript",
              "return_dict",
              "return_dict_in_generate",
              "output_attentions",
              "output_hidden_states",
              "output_scores",
              "output_router_logits",
              "chunk_size_feed_forward",
              "tokenizer_class",
              "prefix",
              "task_specific_params",
              "finetuning_task",
              "problem_type",
              "id2label",
              "label2id",
              "num_labels",
              "is_decoder",
              "cross_attention_hidden_size",
              "tie_encoder_decoder",
              "sep_token_id",
              "decoder_start_token_id",
              "keys_to_ignore_at_inference",
              "max_sequence_length",
              "use_flash_attn",
              "_use_flash_attention_2",
              "model_max_length",
              // generation, which generation_config.json or the caller decides
              "max_length",
              "min_length",
              "max_new_tokens",
              "do_sample",
              "early_stopping",
              "num_beams",
              "num_beam_groups",
              "diversity_penalty",
              "temperature",
              "top_k",
              "top_p",
              "typical_p",
              "repetition_penalty",
              "length_penalty",
              "no_repeat_ngram_size",
              "encoder_no_repeat_ngram_size",
              "bad_words_ids",
              "num_return_sequences",
              "forced_bos_token_id",
              "forced_eos_token_id",
              "remove_invalid_values",
              "exponential_decay_length_penalty",
              "suppress_tokens",
              "begin_suppress_tokens"));

  /**
   * Fields of other architectures that would change the results, and the value with which they do
   * not. {@code null} and absence never do.
   */
  private static final Map<String, Object> NOT_IMPLEMENTED = notImplemented();

  private ConfigReader() {}

  private static Map<String, Object> notImplemented() {
    Map<String, Object> neutral = new LinkedHashMap<>();
    neutral.put("quantization_config", null);
    neutral.put("quantization", null);
    neutral.put("compression_config", null);
    neutral.put("partial_rotary_factor", 1.0);
    neutral.put("rotary_pct", 1.0);
    neutral.put("rope_local_base_freq", null);
    neutral.put("clip_qkv", null);
    neutral.put("attn_logit_softcapping", null);
    neutral.put("final_logit_softcapping", null);
    neutral.put("query_pre_attn_scalar", null);
    neutral.put("embedding_multiplier", 1.0);
    neutral.put("attention_multiplier", null);
    neutral.put("residual_multiplier", 1.0);
    neutral.put("logits_scaling", 1.0);
    neutral.put("logit_scale", 1.0);
    neutral.put("use_qk_norm", false);
    neutral.put("qk_layernorm", false);
    neutral.put("alibi", false);
    neutral.put("parallel_residual", false);
    neutral.put("use_parallel_residual", false);
    neutral.put("no_rope_layers", null);
    neutral.put("num_local_experts", 1.0);
    neutral.put("num_experts", 1.0);
    neutral.put("num_nextn_predict_layers", 0.0);
    neutral.put("is_encoder_decoder", false);
    neutral.put("add_cross_attention", false);
    neutral.put("pruned_heads", Map.of());
    return neutral;
  }

  /**
   * Reads the architecture of a model.
   *
   * @param file config.json
   * @return the architecture
   * @throws FormatException if the file is missing, broken, or asks for what is not implemented
   */
  public static ModelConfig read(Path file) {
    return read(file, Fields.read(file, MAX_BYTES));
  }

  /**
   * Reads the architecture of a model.
   *
   * @param origin where the text comes from, for messages
   * @param utf8 text of a config.json
   * @return the architecture
   * @throws FormatException if the text is broken, or asks for what is not implemented
   */
  public static ModelConfig parse(Path origin, byte[] utf8) {
    return read(origin, new Fields(origin, Json.parseObject(origin, utf8)));
  }

  private static ModelConfig read(Path file, Fields fields) {
    ModelConfig config;
    try {
      config = config(fields);
    } catch (InvalidInputException e) {
      throw new FormatException(file, e.getMessage(), e);
    }
    report(file, config.unknownFields());
    return config;
  }

  private static void report(Path file, Map<String, Object> unknown) {
    List<String> names = new ArrayList<>();
    unknown.forEach(
        (name, value) -> {
          if (value != null) {
            names.add(name);
          }
        });
    if (!names.isEmpty()) {
      LOG.warn(
          "{}: unknown fields {} have no effect; if the model depends on them, its output is wrong",
          file,
          names);
    }
  }

  private static ModelConfig config(Fields fields) {
    List<String> architectures = fields.strings("architectures");
    String modelType = modelType(fields, architectures);
    boolean mistral = modelType.equals("mistral");
    int hiddenSize = fields.requireInt("hidden_size");
    int heads = fields.requireInt("num_attention_heads");
    int maxPositions = maxPositions(fields, mistral);
    RopeReader.Rope rope = RopeReader.read(fields, maxPositions);
    String mlpType = fields.optionalString("mlp_type").orElse("gated");
    OptionalInt slidingWindow = slidingWindow(fields, mistral);
    fields.skip(HARMLESS);
    refuse(fields, slidingWindow.isPresent());
    return new ModelConfig(
        architectures,
        modelType,
        fields.requireInt("vocab_size"),
        hiddenSize,
        fields.requireInt("intermediate_size"),
        fields.requireInt("num_hidden_layers"),
        heads,
        keyValueHeads(fields, heads, mistral),
        headDim(fields, hiddenSize, heads),
        activation(fields, mlpType),
        mlpType,
        normType(fields),
        maxPositions,
        fields.optionalDouble("rms_norm_eps").orElse(DEFAULT_NORM_EPS),
        fields.optionalDouble("initializer_range").orElse(0.02),
        fields.optionalBoolean("tie_word_embeddings").orElse(false),
        fields.optionalBoolean("attention_bias").orElse(false),
        fields.optionalBoolean("mlp_bias").orElse(false),
        fields.optionalDouble("attention_dropout").orElse(0),
        rope.theta(),
        rope.scaling(),
        slidingWindow,
        TokenIds.optional(fields, "bos_token_id"),
        TokenIds.list(fields, "eos_token_id"),
        TokenIds.optional(fields, "pad_token_id"),
        fields.optionalInt("pretraining_tp").orElse(1),
        fields.optionalBoolean("use_cache").orElse(true),
        dtype(fields),
        fields.optionalString("transformers_version"),
        fields.rest());
  }

  /** transformers 5 renamed the field; where both are, the new one counts. */
  private static Optional<String> dtype(Fields fields) {
    Optional<String> old = fields.optionalString("torch_dtype");
    Optional<String> current = fields.optionalString("dtype");
    return current.isPresent() ? current : old;
  }

  private static String modelType(Fields fields, List<String> architectures) {
    String type = fields.optionalString("model_type").orElse(null);
    String family = null;
    for (String architecture : architectures) {
      family = family == null ? FAMILIES.get(architecture) : family;
    }
    if (type == null && family == null) {
      throw fields.error("model_type", "\"llama\" or \"mistral\", or architectures that say so");
    }
    if (type != null && !FAMILIES.containsValue(type)) {
      throw fields.error(
          "model_type", "\"llama\" or \"mistral\"; other families are not implemented");
    }
    if (family == null && !architectures.isEmpty()) {
      throw new FormatException(
          fields.file(),
          "architectures is " + architectures + ", expected one of " + FAMILIES.keySet());
    }
    return type != null ? type : family;
  }

  private static int maxPositions(Fields fields, boolean mistral) {
    OptionalInt given = fields.optionalInt("max_position_embeddings");
    if (given.isPresent()) {
      return given.getAsInt();
    }
    // The first generation's files have the other name. What transformers takes when there is none:
    return fields.optionalInt("max_sequence_length").orElse(mistral ? 131_072 : 2048);
  }

  private static int keyValueHeads(Fields fields, int heads, boolean mistral) {
    boolean mistralDefault = mistral && !fields.contains("num_key_value_heads");
    return fields.optionalInt("num_key_value_heads").orElse(mistralDefault ? 8 : heads);
  }

  private static int headDim(Fields fields, int hiddenSize, int heads) {
    OptionalInt given = fields.optionalInt("head_dim");
    if (given.isPresent()) {
      return given.getAsInt();
    }
    if (heads < 1) {
      throw fields.error("num_attention_heads", "at least 1");
    }
    if (hiddenSize % heads != 0) {
      throw new InvalidInputException(
          "hidden_size "
              + hiddenSize
              + " is no multiple of num_attention_heads "
              + heads
              + ", and there is no head_dim");
    }
    return hiddenSize / heads;
  }

  private static String activation(Fields fields, String mlpType) {
    String activation =
        fields.optionalString("hidden_act").orElse(mlpType.equals("plain") ? "gelu" : "silu");
    return activation.equals("swish") ? "silu" : activation; // two names of one function
  }

  private static Layer.NormKind normType(Fields fields) {
    String type = fields.optionalString("norm_type").orElse("rms_norm");
    switch (type) {
      case "rms_norm":
        return Layer.NormKind.RMS_NORM;
      case "layer_norm":
        return Layer.NormKind.LAYER_NORM;
      default:
        throw fields.error("norm_type", "\"rms_norm\" or \"layer_norm\"");
    }
  }

  private static OptionalInt slidingWindow(Fields fields, boolean mistral) {
    OptionalInt window = fields.optionalInt("sliding_window");
    boolean off = !fields.optionalBoolean("use_sliding_window").orElse(true);
    if (off) {
      return OptionalInt.empty();
    }
    if (!mistral && window.isPresent()) {
      throw fields.error("sliding_window", "null: model_type \"llama\" attends to all positions");
    }
    boolean mistralDefault = mistral && !fields.contains("sliding_window");
    return mistralDefault ? OptionalInt.of(4096) : window;
  }

  private static void refuse(Fields fields, boolean sliding) {
    NOT_IMPLEMENTED.forEach(
        (name, neutral) -> {
          Object value = fields.get(name);
          Object found = value instanceof Number number ? (Object) number.doubleValue() : value;
          if (found != null && !found.equals(neutral)) {
            throw fields.error(name, "none or " + neutral + ": it is not implemented");
          }
        });
    String kind = sliding ? "sliding_attention" : "full_attention";
    for (String type : fields.strings("layer_types")) {
      if (!type.equals(kind)) {
        throw new FormatException(
            fields.file(),
            "layer_types has \"" + type + "\", expected \"" + kind + "\" in every layer");
      }
    }
  }
}
