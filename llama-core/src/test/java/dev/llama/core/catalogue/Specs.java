package dev.llama.core.catalogue;

import dev.llama.core.json.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A small layer-spec that tests vary: 2 blocks of grouped-query attention, untied. */
final class Specs {
  static final String ID = "acme_small";

  private Specs() {}

  /** A modifiable layer-spec without a fault. */
  static Map<String, Object> small() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("model_id", ID);
    json.put("hf_model_id", "acme/small");
    json.put("name", "Small");
    json.put("hidden_size", 64L);
    json.put("num_layers", 2L);
    json.put("vocab_size", 100L);
    json.put("total_params", 2 * (12_288L + 33_792L) + 5 * 64 + 2 * 6400);
    json.put("total_params_formatted", "105.3K");
    List<Object> types = new ArrayList<>();
    types.add(
        type(
            "attention",
            "GroupedQueryAttentionLayer",
            2,
            Map.of(
                "hidden_size", 64L,
                "num_heads", 4L,
                "num_kv_heads", 2L,
                "head_dim", 16L,
                "parameter_count", 12_288L)));
    types.add(
        type(
            "feedforward",
            "GatedMLPLayer",
            2,
            Map.of("hidden_size", 64L, "intermediate_size", 176L, "parameter_count", 33_792L)));
    types.add(
        type(
            "norm",
            "NormLayer",
            5,
            Map.of("hidden_size", 64L, "has_bias", false, "parameter_count", 64L)));
    types.add(embedding("embedding"));
    types.add(embedding("lm_head"));
    json.put("layer_types", types);
    json.put("validated", true);
    return json;
  }

  private static Map<String, Object> embedding(String name) {
    return type(
        name,
        "EmbeddingLayer",
        1,
        Map.of("vocab_size", 100L, "hidden_size", 64L, "parameter_count", 6400L));
  }

  static Map<String, Object> type(
      String name, String className, long count, Map<String, Object> specs) {
    Map<String, Object> type = new LinkedHashMap<>();
    type.put("name", name);
    type.put("class", className);
    type.put("count", count);
    type.put("specs", new LinkedHashMap<>(specs));
    return type;
  }

  @SuppressWarnings("unchecked")
  static Map<String, Object> entry(Map<String, Object> json, int index) {
    return (Map<String, Object>) ((List<Object>) json.get("layer_types")).get(index);
  }

  @SuppressWarnings("unchecked")
  static Map<String, Object> specs(Map<String, Object> json, int index) {
    return (Map<String, Object>) entry(json, index).get("specs");
  }

  /** Writes a layer-spec under the name that its model_id asks for. */
  static Path write(Path folder, Map<String, Object> json) {
    return write(folder, json.get("model_id") + ".json", Json.write(json));
  }

  static Path write(Path folder, String name, String text) {
    try {
      return Files.write(folder.resolve(name), text.getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }
}
