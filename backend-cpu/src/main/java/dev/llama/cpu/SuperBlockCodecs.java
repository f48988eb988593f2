package dev.llama.cpu;

import static dev.llama.cpu.BlockCodecs.half;

import dev.llama.DType;

/**
 * Formats with blocks of 256 elements: a scale d, and perhaps a scale dmin of the minima, for the
 * block, and small integer scales, and perhaps minima, for groups of 16 or 32 elements.
 */
final class SuperBlockCodecs {
  /**
   * 16 bytes of scale and minimum (4 bits each) for 16 elements, 64 bytes of 2 bits, d, dmin. Each
   * 128 elements share 32 bytes: bits 0-1 hold the first 32 of them, bits 2-3 the next, and so on.
   */
  static final Codec Q2_K =
      BlockCodecs.codec(
          DType.Q2_K,
          (raw, in, out, at) -> {
            float d = half(raw, in + 80);
            float dmin = half(raw, in + 82);
            for (int group = 0; group < 16; group++) {
              int sm = raw[in + group];
              float scale = d * (sm & 15);
              float min = dmin * (sm >> 4 & 15);
              int q = in + 16 + (group >> 3) * 32 + (group & 1) * 16;
              int shift = group & 6;
              for (int j = 0; j < 16; j++) {
                out[at + group * 16 + j] = scale * (raw[q + j] >> shift & 3) - min;
              }
            }
          });

  /**
   * 32 bytes of third bits, 64 bytes of 2 bits in the order of Q2_K, 16 scales of 6 bits, d. Value
   * d (scale - 32) (q - 4), where the third bit of element i is bit i / 32 of byte i % 32.
   */
  static final Codec Q3_K =
      BlockCodecs.codec(
          DType.Q3_K,
          (raw, in, out, at) -> {
            float d = half(raw, in + 108);
            for (int group = 0; group < 16; group++) {
              float scale = d * (scale3(raw, in + 96, group) - 32);
              int q = in + 32 + (group >> 3) * 32 + (group & 1) * 16;
              int high = in + (group & 1) * 16;
              int shift = group & 6;
              int bit = group >> 1;
              for (int j = 0; j < 16; j++) {
                int low = raw[q + j] >> shift & 3;
                out[at + group * 16 + j] = scale * ((low | (raw[high + j] >> bit & 1) << 2) - 4);
              }
            }
          });

  /**
   * d, dmin, 12 bytes with 8 scales and 8 minima of 6 bits, 128 bytes of 4 bits: each 64 elements
   * share 32 bytes, the first 32 of them in the lower halves. Value d scale q - dmin min.
   */
  static final Codec Q4_K =
      BlockCodecs.codec(
          DType.Q4_K,
          (raw, in, out, at) -> {
            float d = half(raw, in);
            float dmin = half(raw, in + 2);
            for (int group = 0; group < 8; group++) {
              float scale = d * scale(raw, in + 4, group);
              float min = dmin * minimum(raw, in + 4, group);
              int q = in + 16 + (group >> 1) * 32;
              int shift = (group & 1) * 4;
              for (int j = 0; j < 32; j++) {
                out[at + group * 32 + j] = scale * (raw[q + j] >> shift & 15) - min;
              }
            }
          });

  /**
   * As Q4_K, with 32 bytes of fifth bits before the 4-bit values: bit i / 32 of byte i % 32 belongs
   * to element i.
   */
  static final Codec Q5_K =
      BlockCodecs.codec(
          DType.Q5_K,
          (raw, in, out, at) -> {
            float d = half(raw, in);
            float dmin = half(raw, in + 2);
            for (int group = 0; group < 8; group++) {
              float scale = d * scale(raw, in + 4, group);
              float min = dmin * minimum(raw, in + 4, group);
              int high = in + 16;
              int q = in + 48 + (group >> 1) * 32;
              int shift = (group & 1) * 4;
              for (int j = 0; j < 32; j++) {
                int low = raw[q + j] >> shift & 15;
                out[at + group * 32 + j] = scale * (low | (raw[high + j] >> group & 1) << 4) - min;
              }
            }
          });

  /**
   * 128 bytes of 4 low bits, 64 bytes of 2 high bits, 16 signed scales, d. Each 128 elements share
   * 64 low bytes (elements 0-63 in the lower halves) and 32 high bytes (bits 0-1 for elements 0-31,
   * 2-3 for the next 32, ...). Value d scale (q - 32).
   */
  static final Codec Q6_K =
      BlockCodecs.codec(
          DType.Q6_K,
          (raw, in, out, at) -> {
            float d = half(raw, in + 208);
            for (int group = 0; group < 16; group++) {
              float scale = d * raw[in + 192 + group];
              int inHalf = group & 7; // which 16 of the 128 elements
              int low = in + (group >> 3) * 64 + (inHalf & 3) * 16;
              int lowShift = inHalf & 4;
              int high = in + 128 + (group >> 3) * 32 + (inHalf & 1) * 16;
              int highShift = inHalf & 6;
              for (int j = 0; j < 16; j++) {
                int q = raw[low + j] >> lowShift & 15 | (raw[high + j] >> highShift & 3) << 4;
                out[at + group * 16 + j] = scale * (q - 32);
              }
            }
          });

  private SuperBlockCodecs() {}

  /** Scale of a group in the packing of Q4_K: 0-3 in bytes 0-3, the rest in 8-11 and top bits. */
  static int scale(byte[] raw, int at, int group) {
    return group < 4
        ? raw[at + group] & 63
        : raw[at + group + 4] & 15 | (raw[at + group - 4] >> 6 & 3) << 4;
  }

  static int minimum(byte[] raw, int at, int group) {
    return group < 4
        ? raw[at + group + 4] & 63
        : raw[at + group + 4] >> 4 & 15 | (raw[at + group] >> 6 & 3) << 4;
  }

  /** Scale of a group in the packing of Q3_K: low 4 bits in bytes 0-7, high 2 in bytes 8-11. */
  private static int scale3(byte[] raw, int at, int group) {
    int low = group < 8 ? raw[at + group] & 15 : raw[at + group - 8] >> 4 & 15;
    return low | (raw[at + 8 + (group & 3)] >> 2 * (group >> 2) & 3) << 4;
  }
}
