package dev.llama.core.quantize;

import dev.llama.DType;
import dev.llama.InvalidInputException;
import java.util.Arrays;
import java.util.Locale;
import java.util.Map;

/**
 * What a file is quantised to, by the names of llama.cpp. Most matrices get the type of the name;
 * in the mixtures (those with a K) the ones that matter most get more bits.
 */
public enum QuantizationType {
  /** 32-bit floats. */
  F32(0, DType.F32, "as exact as any source"),
  /** 16-bit floats of IEEE 754. */
  F16(1, DType.F16, "16 bits, range up to 65504"),
  /** The upper halves of 32-bit floats. */
  BF16(32, DType.BF16, "16 bits, the range of F32"),
  /** 8 bits, scale for 32. */
  Q8_0(7, DType.Q8_0, "8.5 bits, hardly any loss"),
  /** 6 bits in super-blocks. */
  Q6_K(18, DType.Q6_K, "6.6 bits, very small loss"),
  /** 5 bits in super-blocks, half of the values and of the MLP outputs in Q6_K. */
  Q5_K_M(17, DType.Q5_K, "5.7 bits, mixture of Q5_K and Q6_K"),
  /** 5 bits in super-blocks. */
  Q5_K_S(16, DType.Q5_K, "5.5 bits"),
  /** 5 bits, scale and minimum for 32. */
  Q5_1(9, DType.Q5_1, "6 bits, older format"),
  /** 5 bits, scale for 32. */
  Q5_0(8, DType.Q5_0, "5.5 bits, older format"),
  /** 4 bits in super-blocks, half of the values and of the MLP outputs in Q6_K. */
  Q4_K_M(15, DType.Q4_K, "4.9 bits, mixture of Q4_K and Q6_K; the usual choice"),
  /** 4 bits in super-blocks, the first layers in Q5_K. */
  Q4_K_S(14, DType.Q4_K, "4.6 bits, mixture of Q4_K and Q5_K"),
  /** 4 bits, scale and minimum for 32. */
  Q4_1(3, DType.Q4_1, "5 bits, older format"),
  /** 4 bits, scale for 32. */
  Q4_0(2, DType.Q4_0, "4.5 bits, older format, the fastest"),
  /** 3 bits in super-blocks, values and outputs in Q5_K. */
  Q3_K_L(13, DType.Q3_K, "4.3 bits, mixture of Q3_K and Q5_K"),
  /** 3 bits in super-blocks, values and outputs in Q4_K and Q5_K. */
  Q3_K_M(12, DType.Q3_K, "3.9 bits, mixture of Q3_K, Q4_K and Q5_K"),
  /** 3 bits in super-blocks. */
  Q3_K_S(11, DType.Q3_K, "3.4 bits, large loss"),
  /** 2 bits in super-blocks, values and outputs in Q3_K and Q4_K. */
  Q2_K(10, DType.Q2_K, "3.2 bits, mixture of Q2_K, Q3_K and Q4_K; very large loss"),
  /** 2 bits in super-blocks, the first layers in Q4_K. */
  Q2_K_S(21, DType.Q2_K, "2.8 bits, mixture of Q2_K and Q4_K; very large loss");

  /** Short names that llama.cpp accepts too. */
  private static final Map<String, QuantizationType> ALIASES =
      Map.of("Q3_K", Q3_K_M, "Q4_K", Q4_K_M, "Q5_K", Q5_K_M);

  private final int fileType;
  private final DType matrices;
  private final String note;

  QuantizationType(int fileType, DType matrices, String note) {
    this.fileType = fileType;
    this.matrices = matrices;
    this.note = note;
  }

  /**
   * Finds a type by its name.
   *
   * @param name for instance {@code "Q4_K_M"} or its short form {@code "Q4_K"}; case does not
   *     matter
   * @return the type
   * @throws InvalidInputException if there is none of that name; the message lists all
   */
  public static QuantizationType of(String name) {
    String upper = name.toUpperCase(Locale.ROOT);
    if (ALIASES.containsKey(upper)) {
      return ALIASES.get(upper);
    }
    for (QuantizationType type : values()) {
      if (type.name().equals(upper)) {
        return type;
      }
    }
    throw new InvalidInputException(
        "there is no type \"" + name + "\", expected one of " + Arrays.toString(values()));
  }

  /**
   * Returns the number that GGUF files carry as {@code general.file_type}.
   *
   * @return a value of llama.cpp's {@code llama_ftype}
   */
  public int fileType() {
    return fileType;
  }

  /**
   * Returns the type that most matrices get.
   *
   * @return a plain or quantised type
   */
  public DType matrices() {
    return matrices;
  }

  /**
   * Returns what to expect of it.
   *
   * @return bits per weight and a remark, for help texts
   */
  public String note() {
    return note;
  }
}
