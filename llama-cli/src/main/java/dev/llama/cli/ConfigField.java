package dev.llama.cli;

import dev.llama.Layer;
import dev.llama.ModelConfig;
import dev.llama.RopeScaling;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.Collectors;

/**
 * What one field of a configuration means for one model.
 *
 * @param name the field's name in config.json
 * @param value as the model has it
 * @param meaning in words
 */
record ConfigField(String name, String value, String meaning) {

  /** Explains every field. */
  static List<ConfigField> of(ModelConfig config) {
    Fields fields = new Fields();
    identity(config, fields);
    sizes(config, fields);
    attention(config, fields);
    positions(config, fields);
    training(config, fields);
    config
        .unknownFields()
        .forEach((name, value) -> fields.add(name, value, "not known to this library, no effect"));
    return fields.list;
  }

  private static void identity(ModelConfig config, Fields fields) {
    fields.add("architectures", String.join(", ", config.architectures()), "class that wrote it");
    fields.add("model_type", config.modelType(), "family");
    fields.add(
        "torch_dtype",
        config.torchDtype().orElse("not given"),
        "type of the published weights; the files' own types count");
    fields.add(
        "transformers_version",
        config.transformersVersion().orElse("not given"),
        "version that wrote the file");
  }

  private static void sizes(ModelConfig config, Fields fields) {
    fields.add("vocab_size", config.vocabSize(), "token ids 0 to " + (config.vocabSize() - 1));
    fields.add("hidden_size", config.hiddenSize(), "numbers that stand for a token between layers");
    fields.add("num_hidden_layers", config.numHiddenLayers(), "blocks of attention and MLP");
    boolean gated = config.mlpType().equals("gated");
    fields.add(
        "intermediate_size",
        config.intermediateSize(),
        "width inside the MLP, "
            + Units.decimals((double) config.intermediateSize() / config.hiddenSize(), 2)
            + " times the hidden size");
    fields.add(
        "hidden_act",
        config.hiddenAct(),
        gated ? "SwiGLU: down(silu(gate(x)) * up(x))" : "down(gelu(up(x)))");
    fields.add("mlp_type", config.mlpType(), gated ? "three matrices" : "two matrices");
    fields.add("mlp_bias", config.mlpBias(), biases("the MLP", config.mlpBias()));
    boolean rms = config.normType() == Layer.NormKind.RMS_NORM;
    fields.add(
        "norm_type",
        rms ? "rms_norm" : "layer_norm",
        rms ? "divides by the root mean square" : "subtracts the mean, divides by the deviation");
    fields.add("rms_norm_eps", config.rmsNormEps(), "added to the mean square before the root");
    fields.add(
        "tie_word_embeddings",
        config.tieWordEmbeddings(),
        config.tieWordEmbeddings()
            ? "the output uses the embedding's matrix"
            : "the output has a matrix of its own");
  }

  private static void attention(ModelConfig config, Fields fields) {
    int heads = config.numAttentionHeads();
    int keyHeads = config.numKeyValueHeads();
    fields.add("num_attention_heads", heads, "query heads in each block");
    fields.add(
        "num_key_value_heads",
        keyHeads,
        keyHeads == heads
            ? "multi-head attention: each query head has keys and values of its own"
            : keyHeads == 1
                ? "multi-query attention: all query heads share one key head"
                : "grouped-query attention: " + heads / keyHeads + " query heads share a key head");
    long width = (long) heads * config.headDim();
    fields.add(
        "head_dim",
        config.headDim(),
        "width of a head; all query heads: "
            + width
            + (width == config.hiddenSize() ? ", the hidden size" : ", not the hidden size"));
    fields.add(
        "attention_bias", config.attentionBias(), biases("attention", config.attentionBias()));
    fields.add(
        "attention_dropout", config.attentionDropout(), "in training alone; inference drops none");
    fields.add(
        "sliding_window",
        config.slidingWindow().isPresent() ? config.slidingWindow().getAsInt() : "none",
        config.slidingWindow().isPresent()
            ? "a position sees itself and the "
                + (config.slidingWindow().getAsInt() - 1)
                + " before it"
            : "a position sees all before it");
  }

  private static void positions(ModelConfig config, Fields fields) {
    fields.add(
        "max_position_embeddings", config.maxPositionEmbeddings(), "largest context, in positions");
    double longest =
        2 * Math.PI * Math.pow(config.ropeTheta(), (config.headDim() - 2.0) / config.headDim());
    fields.add(
        "rope_theta",
        config.ropeTheta(),
        "base of the rotary frequencies; the slowest turns once in "
            + Units.grouped(Math.round(longest))
            + " positions");
    fields.add("rope_scaling", config.ropeScaling().ropeType(), scaling(config.ropeScaling()));
  }

  private static String scaling(RopeScaling scaling) {
    if (scaling instanceof RopeScaling.Linear linear) {
      return "every frequency divided by " + linear.factor();
    } else if (scaling instanceof RopeScaling.Dynamic dynamic) {
      return "theta grows with texts beyond the context, factor " + dynamic.factor();
    } else if (scaling instanceof RopeScaling.Yarn yarn) {
      return "slow frequencies divided by "
          + yarn.factor()
          + ", fast ones kept; trained on "
          + yarn.originalMaxPositionEmbeddings()
          + " positions, cos and sin times "
          + yarn.attentionFactor();
    } else if (scaling instanceof RopeScaling.Llama3 llama3) {
      return "slow frequencies divided by "
          + llama3.factor()
          + ", fast ones kept; trained on "
          + llama3.originalMaxPositionEmbeddings()
          + " positions, bounds "
          + llama3.lowFreqFactor()
          + " and "
          + llama3.highFreqFactor();
    } else if (scaling instanceof RopeScaling.Factors factors) {
      return Units.plural(factors.divisors().size(), "divisor") + " listed in the file";
    }
    return "frequencies as they are";
  }

  private static void training(ModelConfig config, Fields fields) {
    fields.add("bos_token_id", orNone(config.bosTokenId()), "begins a text");
    String stops =
        config.eosTokenIds().stream().map(String::valueOf).collect(Collectors.joining(", "));
    fields.add("eos_token_id", stops.isEmpty() ? "none" : stops, "ends a generation");
    fields.add("pad_token_id", orNone(config.padTokenId()), "fills up rows in training");
    fields.add(
        "initializer_range", config.initializerRange(), "standard deviation of random weights");
    fields.add("pretraining_tp", config.pretrainingTp(), "slices in pre-training, no effect");
    fields.add("use_cache", config.useCache(), "sessions always have a KV cache");
  }

  private static String biases(String where, boolean has) {
    return "projections of " + where + (has ? " have" : " have no") + " biases";
  }

  private static Object orNone(OptionalInt id) {
    return id.isPresent() ? id.getAsInt() : "none";
  }

  private static final class Fields {
    private final List<ConfigField> list = new ArrayList<>();

    void add(String name, Object value, String meaning) {
      String text = String.valueOf(value);
      list.add(new ConfigField(name, text.isEmpty() ? "none" : text, meaning));
    }
  }
}
