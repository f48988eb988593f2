package dev.llama.core.quantize;

import dev.llama.DType;
import dev.llama.ModelConfig;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Which tensor gets which type. The rules are those of llama.cpp's {@code llama-quantize} (function
 * {@code llama_tensor_get_type}) for Llamas without an importance matrix: the output matrix, values
 * and the MLP's outputs matter most, and the first and the last blocks more than the others.
 */
final class TensorTypes {
  private static final Pattern BLOCK = Pattern.compile("blk\\.([0-9]+)\\.([a-z_]+)\\.weight");

  /** Blocks of the models in which eight heads share one value matrix. */
  private static final int BLOCKS_OF_70B = 80;

  private final QuantizationType type;
  private final boolean pure;
  private final ModelConfig config;

  TensorTypes(QuantizationType type, boolean pure, ModelConfig config) {
    this.type = type;
    this.pure = pure;
    this.config = config;
  }

  /**
   * Returns the type of a tensor in the new file.
   *
   * @param name in a GGUF file
   * @param shape slowest dimension first
   */
  DType of(String name, long[] shape) {
    if (shape.length < 2) {
      return DType.F32; // norms and biases: small, and what all programs expect
    }
    DType wanted = type.matrices();
    long width = shape[shape.length - 1];
    if (!pure && wanted.isQuantized()) {
      wanted = mixed(name, width);
    }
    return fitting(wanted, width);
  }

  private DType mixed(String name, long width) {
    boolean output =
        name.equals("output.weight")
            || name.equals("token_embd.weight") && config.tieWordEmbeddings();
    DType usual = type.matrices();
    if (output) {
      boolean fits = width % usual.blockElements() == 0;
      return usual == DType.Q8_0 || !fits ? DType.Q8_0 : DType.Q6_K;
    }
    Matcher block = BLOCK.matcher(name);
    if (!block.matches()) {
      return usual;
    }
    int layer = Integer.parseInt(block.group(1));
    return switch (block.group(2)) {
      case "attn_v" -> value(layer);
      case "attn_output" -> attentionOutput();
      case "ffn_down" -> down(layer);
      default -> usual;
    };
  }

  private DType value(int layer) {
    int share = config.numAttentionHeads() / config.numKeyValueHeads();
    DType wanted =
        switch (type) {
          case Q2_K -> share >= 4 ? DType.Q4_K : DType.Q3_K;
          case Q2_K_S -> share >= 4 ? DType.Q4_K : DType.Q2_K;
          case Q3_K_M -> layer < 2 ? DType.Q5_K : DType.Q4_K;
          case Q3_K_L -> DType.Q5_K;
          case Q4_K_S -> layer < 4 ? DType.Q5_K : DType.Q4_K;
          case Q4_K_M, Q5_K_M -> needsMoreBits(layer) ? DType.Q6_K : type.matrices();
          default -> type.matrices();
        };
    boolean small = config.numHiddenLayers() == BLOCKS_OF_70B;
    return small && (wanted == DType.Q3_K || wanted == DType.Q4_K) ? DType.Q5_K : wanted;
  }

  private DType attentionOutput() {
    return switch (type) {
      case Q2_K -> DType.Q3_K;
      case Q3_K_M -> DType.Q4_K;
      case Q3_K_L -> DType.Q5_K;
      default -> type.matrices();
    };
  }

  private DType down(int layer) {
    int layers = config.numHiddenLayers();
    return switch (type) {
      case Q2_K -> DType.Q3_K;
      case Q2_K_S -> layer < layers / 8 ? DType.Q4_K : DType.Q2_K;
      case Q3_K_M -> layer < layers / 16 ? DType.Q5_K : DType.Q4_K;
      case Q3_K_L -> DType.Q5_K;
      case Q4_K_S -> layer < layers / 8 ? DType.Q5_K : DType.Q4_K;
      case Q4_K_M, Q5_K_M -> needsMoreBits(layer) ? DType.Q6_K : type.matrices();
      default -> type.matrices();
    };
  }

  /** The first and the last eighth of the blocks, and every third one between them. */
  private boolean needsMoreBits(int layer) {
    int layers = config.numHiddenLayers();
    int eighth = layers / 8;
    return layer < eighth || layer >= 7 * layers / 8 || (layer - eighth) % 3 == 2;
  }

  /**
   * Returns a type whose blocks fill the rows: with K, the format of 32 elements that has at least
   * as many bits; F16 where that does not fit either. llama.cpp takes IQ4_NL, which is not written
   * here, where Q2_K and Q3_K become Q4_0.
   */
  private static DType fitting(DType wanted, long width) {
    if (width % wanted.blockElements() == 0) {
      return wanted;
    }
    DType smaller =
        switch (wanted) {
          case Q2_K, Q3_K -> DType.Q4_0;
          case Q4_K -> DType.Q5_0;
          case Q5_K -> DType.Q5_1;
          case Q6_K -> DType.Q8_0;
          default -> DType.F16;
        };
    return width % smaller.blockElements() == 0 ? smaller : DType.F16;
  }
}
