package dev.llama.core.config;

import dev.llama.InvalidInputException;
import dev.llama.Layer;
import dev.llama.ModelConfig;
import dev.llama.core.json.Json;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.TreeMap;

/** Writes config.json in the classic published form, which every reader of Llama models knows. */
public final class ConfigWriter {
  private ConfigWriter() {}

  /**
   * Writes an architecture so that {@link ConfigReader#read} returns an equal one.
   *
   * @param config the architecture
   * @return text of a config.json, keys in alphabetical order
   * @throws InvalidInputException if an unknown field holds what JSON cannot express
   */
  public static String toJson(ModelConfig config) {
    Map<String, Object> json = new TreeMap<>(config.unknownFields());
    json.put("architectures", config.architectures());
    json.put("attention_bias", config.attentionBias());
    json.put("attention_dropout", config.attentionDropout());
    json.put("bos_token_id", orNull(config.bosTokenId()));
    json.put("eos_token_id", oneOrMore(config.eosTokenIds()));
    json.put("head_dim", config.headDim());
    json.put("hidden_act", config.hiddenAct());
    json.put("hidden_size", config.hiddenSize());
    json.put("initializer_range", config.initializerRange());
    json.put("intermediate_size", config.intermediateSize());
    json.put("max_position_embeddings", config.maxPositionEmbeddings());
    json.put("mlp_bias", config.mlpBias());
    json.put("model_type", config.modelType());
    json.put("num_attention_heads", config.numAttentionHeads());
    json.put("num_hidden_layers", config.numHiddenLayers());
    json.put("num_key_value_heads", config.numKeyValueHeads());
    json.put("pad_token_id", orNull(config.padTokenId()));
    json.put("pretraining_tp", config.pretrainingTp());
    json.put("rms_norm_eps", config.rmsNormEps());
    json.put("rope_scaling", RopeReader.write(config.ropeScaling()));
    json.put("rope_theta", config.ropeTheta());
    json.put("tie_word_embeddings", config.tieWordEmbeddings());
    json.put("torch_dtype", config.torchDtype().orElse(null));
    json.put("transformers_version", config.transformersVersion().orElse(null));
    json.put("use_cache", config.useCache());
    json.put("vocab_size", config.vocabSize());
    if (config.modelType().equals("mistral")) {
      json.put("sliding_window", orNull(config.slidingWindow()));
    }
    if (!config.mlpType().equals("gated")) {
      json.put("mlp_type", config.mlpType());
    }
    if (config.normType() == Layer.NormKind.LAYER_NORM) {
      json.put("norm_type", "layer_norm");
    }
    return Json.write(json);
  }

  private static Integer orNull(OptionalInt value) {
    return value.isPresent() ? value.getAsInt() : null;
  }

  private static Object oneOrMore(List<Integer> ids) {
    return ids.isEmpty() ? null : ids.size() == 1 ? ids.get(0) : ids;
  }
}
