package dev.llama.core.catalogue;

import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.Layer;
import dev.llama.ModelConfig;
import dev.llama.core.config.ConfigReader;
import dev.llama.core.json.Json;
import java.nio.charset.StandardCharsets;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/**
 * Makes a decoder's architecture of a layer-spec: writes the config.json that says as much, so that
 * everything else has the defaults of that format.
 */
final class SpecToConfig {
  private final LayerSpec spec;
  private final List<String> faults = new ArrayList<>();

  private SpecToConfig(LayerSpec spec) {
    this.spec = spec;
  }

  static ModelConfig convert(LayerSpec spec) {
    String json = Json.write(new SpecToConfig(spec).config());
    try {
      return ConfigReader.parse(
          Paths.get(spec.modelId() + LayerSpec.EXTENSION), json.getBytes(StandardCharsets.UTF_8));
    } catch (FormatException e) {
      throw new InvalidInputException(e.getMessage()); // no file is at fault here
    }
  }

  private Map<String, Object> config() {
    Layer attention = only("attention", Layer.SelfAttention.class::isInstance);
    Layer mlp = only("MLP", layer -> layer instanceof Layer.GatedMlp || layer instanceof Layer.Mlp);
    Layer norm = only("norm", Layer.Norm.class::isInstance);
    Map<String, Object> config = new LinkedHashMap<>();
    config.put("architectures", List.of("LlamaForCausalLM"));
    config.put("model_type", "llama");
    config.put("hidden_size", spec.hiddenSize());
    config.put("num_hidden_layers", spec.numLayers());
    config.put("vocab_size", spec.vocabSize());
    config.put("tie_word_embeddings", tied());
    if (attention instanceof Layer.SelfAttention self) {
      config.put("num_attention_heads", self.numHeads());
      config.put("num_key_value_heads", self.numKvHeads());
      config.put("head_dim", self.headDim());
      config.put("attention_bias", self.hasBias());
    }
    if (mlp instanceof Layer.GatedMlp gated) {
      config.put("intermediate_size", gated.intermediateSize());
      config.put("mlp_bias", gated.hasBias());
    } else if (mlp instanceof Layer.Mlp plain) {
      config.put("mlp_type", "plain");
      config.put("intermediate_size", plain.intermediateSize());
      config.put("mlp_bias", plain.hasBias());
    }
    if (norm instanceof Layer.Norm layer && layer.kind() == Layer.NormKind.LAYER_NORM) {
      config.put("norm_type", "layer_norm");
    }
    if (!faults.isEmpty()) {
      throw new InvalidInputException(
          spec.modelId() + " makes no decoder: " + String.join("; ", faults));
    }
    return config;
  }

  /** The layer that all entries of a kind agree on; null, and a fault, if there is none. */
  private Layer only(String kind, Predicate<Layer> isOfKind) {
    Layer only = null;
    for (LayerType type : spec.layerTypes()) {
      Layer unnamed = LayerClass.renamed(kind, type.layer());
      if (isOfKind.test(unnamed)) {
        if (only != null && !only.equals(unnamed)) {
          faults.add(type.name() + " differs from other " + kind + " layers, expected equal ones");
        }
        only = unnamed;
      }
    }
    if (only == null) {
      faults.add("it has no " + kind + " layer");
    }
    return only;
  }

  private boolean tied() {
    int matrices = 0;
    for (LayerType type : spec.layerTypes()) {
      matrices += type.layer() instanceof Layer.Embedding ? type.count() : 0;
    }
    if (matrices < 1 || matrices > 2) {
      faults.add("it has " + matrices + " embedding layers, expected 1 (tied to the output) or 2");
    }
    return matrices == 1;
  }
}
