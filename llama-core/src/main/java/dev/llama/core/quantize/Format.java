package dev.llama.core.quantize;

import dev.llama.DType;

/** How numbers become the bytes of a stored format, and back. Stateless. */
interface Format {
  /**
   * Encodes elements of one row.
   *
   * @param x finite numbers of magnitude up to {@link #largest(DType)}
   * @param from index of the first
   * @param count a multiple of the format's block
   * @param out receives {@code type.bytes(count)} bytes
   * @param at index of the first byte
   */
  void encode(float[] x, int from, int count, byte[] out, int at);

  /**
   * Decodes elements.
   *
   * @param stored bytes
   * @param at index of the first byte
   * @param count a multiple of the format's block
   * @param out receives the elements
   * @param from index of the first
   */
  void decode(byte[] stored, int at, int count, float[] out, int from);

  /**
   * Returns the format of a type.
   *
   * @param type one of those that weights are stored in
   * @return null for any other
   */
  static Format of(DType type) {
    return switch (type) {
      case F32 -> PlainFormats.F32;
      case F16 -> PlainFormats.F16;
      case BF16 -> PlainFormats.BF16;
      case Q8_0 -> BlockFormats.Q8_0;
      case Q4_0 -> BlockFormats.Q4_0;
      case Q4_1 -> BlockFormats.Q4_1;
      case Q5_0 -> BlockFormats.Q5_0;
      case Q5_1 -> BlockFormats.Q5_1;
      case Q2_K -> OffsetFormats.Q2_K;
      case Q4_K -> OffsetFormats.Q4_K;
      case Q5_K -> OffsetFormats.Q5_K;
      case Q3_K -> SymmetricFormats.Q3_K;
      case Q6_K -> SymmetricFormats.Q6_K;
      default -> null;
    };
  }

  /**
   * Returns the largest magnitude that a type can store: scales are F16 in all quantised types.
   *
   * @param type to store
   * @return a finite number
   */
  static float largest(DType type) {
    return switch (type) {
      case F32 -> Float.MAX_VALUE;
      case BF16 -> 0x1.fep127f;
      default -> Half.MAX;
    };
  }
}
