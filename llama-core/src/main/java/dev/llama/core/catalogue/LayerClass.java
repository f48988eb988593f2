package dev.llama.core.catalogue;

import dev.llama.InvalidInputException;
import dev.llama.Layer;
import dev.llama.core.config.ConfigReader;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** The classes of layers that a layer-spec can name, and the sizes that each must list. */
enum LayerClass {
  ATTENTION("AttentionLayer", "hidden_size", "num_heads", "head_dim") {
    @Override
    Layer layer(String name, Map<String, Integer> sizes, boolean bias) {
      return new Layer.Attention(
          name, sizes.get("hidden_size"), sizes.get("num_heads"), sizes.get("head_dim"), bias);
    }
  },
  GROUPED_QUERY_ATTENTION(
      "GroupedQueryAttentionLayer", "hidden_size", "num_heads", "num_kv_heads", "head_dim") {
    @Override
    Layer layer(String name, Map<String, Integer> sizes, boolean bias) {
      return new Layer.GroupedQueryAttention(
          name,
          sizes.get("hidden_size"),
          sizes.get("num_heads"),
          sizes.get("num_kv_heads"),
          sizes.get("head_dim"),
          bias);
    }
  },
  MLP("MLPLayer", "hidden_size", "intermediate_size") {
    @Override
    Layer layer(String name, Map<String, Integer> sizes, boolean bias) {
      return new Layer.Mlp(name, sizes.get("hidden_size"), sizes.get("intermediate_size"), bias);
    }
  },
  GATED_MLP("GatedMLPLayer", "hidden_size", "intermediate_size") {
    @Override
    Layer layer(String name, Map<String, Integer> sizes, boolean bias) {
      return new Layer.GatedMlp(
          name, sizes.get("hidden_size"), sizes.get("intermediate_size"), bias);
    }
  },
  NORM("NormLayer", "hidden_size") {
    @Override
    Layer layer(String name, Map<String, Integer> sizes, boolean bias) {
      return new Layer.Norm(
          name,
          sizes.get("hidden_size"),
          bias ? Layer.NormKind.LAYER_NORM : Layer.NormKind.RMS_NORM,
          ConfigReader.DEFAULT_NORM_EPS);
    }
  },
  EMBEDDING("EmbeddingLayer", "vocab_size", "hidden_size") {
    @Override
    Layer layer(String name, Map<String, Integer> sizes, boolean bias) {
      return new Layer.Embedding(name, sizes.get("vocab_size"), sizes.get("hidden_size"));
    }
  };

  private final String jsonName;
  private final List<String> sizes;

  LayerClass(String jsonName, String... sizes) {
    this.jsonName = jsonName;
    this.sizes = List.of(sizes);
  }

  /** Defines a layer; {@code bias} is has_bias, which makes a norm a LayerNorm. */
  abstract Layer layer(String name, Map<String, Integer> sizes, boolean bias);

  /** The name in the file. */
  String jsonName() {
    return jsonName;
  }

  /** The sizes that the specs must list, in the order in which they are written. */
  List<String> sizes() {
    return sizes;
  }

  boolean isAttention() {
    return this == ATTENTION || this == GROUPED_QUERY_ATTENTION;
  }

  boolean isMlp() {
    return this == MLP || this == GATED_MLP;
  }

  /** Whether the specs may say has_bias; where they do not, there is none. */
  boolean mayHaveBias() {
    return this != EMBEDDING;
  }

  /** Whether the specs must say has_bias: it is what tells one kind of norm from the other. */
  boolean mustSayBias() {
    return this == NORM;
  }

  /** All names, for messages. */
  static String jsonNames() {
    return Arrays.stream(values()).map(LayerClass::jsonName).collect(Collectors.joining(", "));
  }

  /** Returns the class of that name, or null. */
  static LayerClass named(String jsonName) {
    for (LayerClass layerClass : values()) {
      if (layerClass.jsonName.equals(jsonName)) {
        return layerClass;
      }
    }
    return null;
  }

  static LayerClass of(Layer layer) {
    if (layer instanceof Layer.Attention) {
      return ATTENTION;
    } else if (layer instanceof Layer.GroupedQueryAttention) {
      return GROUPED_QUERY_ATTENTION;
    } else if (layer instanceof Layer.Mlp) {
      return MLP;
    } else if (layer instanceof Layer.GatedMlp) {
      return GATED_MLP;
    } else if (layer instanceof Layer.Norm) {
      return NORM;
    } else if (layer instanceof Layer.Embedding) {
      return EMBEDDING;
    }
    throw new InvalidInputException(
        layer.name() + " is an LmHead, expected Layer.Embedding: layer-specs have no other class");
  }

  /** The same layer under another name, a norm with the eps that the format leaves open. */
  static Layer renamed(String name, Layer layer) {
    Map<String, Integer> sizes = new LinkedHashMap<>();
    Map<String, Object> specs = specs(layer);
    specs.forEach(
        (spec, value) -> {
          if (value instanceof Integer size) {
            sizes.put(spec, size);
          }
        });
    return of(layer).layer(name, sizes, Boolean.TRUE.equals(specs.get("has_bias")));
  }

  /** The sizes of a layer and has_bias, as the specs list them. */
  static Map<String, Object> specs(Layer layer) {
    Map<String, Object> specs = new LinkedHashMap<>();
    if (layer instanceof Layer.SelfAttention attention) {
      specs.put("hidden_size", attention.hiddenSize());
      specs.put("num_heads", attention.numHeads());
      if (layer instanceof Layer.GroupedQueryAttention) {
        specs.put("num_kv_heads", attention.numKvHeads());
      }
      specs.put("head_dim", attention.headDim());
      putBias(specs, attention.hasBias());
    } else if (layer instanceof Layer.GatedMlp mlp) {
      specs.put("hidden_size", mlp.hiddenSize());
      specs.put("intermediate_size", mlp.intermediateSize());
      putBias(specs, mlp.hasBias());
    } else if (layer instanceof Layer.Mlp mlp) {
      specs.put("hidden_size", mlp.hiddenSize());
      specs.put("intermediate_size", mlp.intermediateSize());
      putBias(specs, mlp.hasBias());
    } else if (layer instanceof Layer.Norm norm) {
      specs.put("hidden_size", norm.hiddenSize());
      specs.put("has_bias", norm.kind() == Layer.NormKind.LAYER_NORM);
    } else if (layer instanceof Layer.Embedding embedding) {
      specs.put("vocab_size", embedding.vocabSize());
      specs.put("hidden_size", embedding.hiddenSize());
    }
    return specs;
  }

  /** Projections have biases in few models: their specs say so only there. */
  private static void putBias(Map<String, Object> specs, boolean bias) {
    if (bias) {
      specs.put("has_bias", true);
    }
  }
}
