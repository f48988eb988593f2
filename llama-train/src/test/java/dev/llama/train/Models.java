package dev.llama.train;

import dev.llama.ModelConfig;
import dev.llama.core.config.ConfigReader;
import dev.llama.core.json.Json;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Architectures small enough for a test. */
final class Models {
  static final int VOCABULARY = 20;

  private Models() {}

  /**
   * Two blocks with grouped heads.
   *
   * @param changes to config.json: names and values, in turn
   */
  static ModelConfig tiny(Object... changes) {
    Map<String, Object> fields = new LinkedHashMap<>();
    fields.put("model_type", "llama");
    fields.put("vocab_size", VOCABULARY);
    fields.put("hidden_size", 16);
    fields.put("intermediate_size", 24);
    fields.put("num_hidden_layers", 2);
    fields.put("num_attention_heads", 4);
    fields.put("num_key_value_heads", 2);
    fields.put("max_position_embeddings", 64);
    fields.put("rms_norm_eps", 1e-5);
    fields.put("initializer_range", 0.2);
    for (int i = 0; i < changes.length; i += 2) {
      fields.put((String) changes[i], changes[i + 1]);
    }
    return ConfigReader.parse(
        Path.of("config.json"), Json.write(fields).getBytes(StandardCharsets.UTF_8));
  }
}
