package dev.llama.tests;

import dev.llama.Layer;
import dev.llama.ModelConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;

/** A folder with a Llama of a few thousand random parameters, without tokenizer. */
final class TinyModel {
  private TinyModel() {}

  /** Writes config.json and model.safetensors; the last tensor is lm_head.weight. */
  static void write(Path folder, int vocabSize) throws IOException {
    Files.writeString(
        folder.resolve("config.json"),
        """
        {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": %d,
         "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
         "num_attention_heads": 4, "num_key_value_heads": 2, "hidden_act": "silu",
         "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
         "tie_word_embeddings": false}
        """
            .formatted(vocabSize));
    Map<String, long[]> shapes = new LinkedHashMap<>();
    for (Layer layer : ModelConfig.read(folder).layers()) {
      for (Layer.Weight weight : layer.weights()) {
        shapes.put(weight.name(), weight.shape().stream().mapToLong(Long::longValue).toArray());
      }
    }
    Random random = new Random(7);
    Safetensors.write(
        folder.resolve("model.safetensors"),
        shapes,
        (name, size) -> {
          float[] values = new float[size];
          for (int i = 0; i < size; i++) {
            values[i] = name.contains("norm") ? 1 : 0.05f * (float) random.nextGaussian();
          }
          return values;
        });
  }
}
