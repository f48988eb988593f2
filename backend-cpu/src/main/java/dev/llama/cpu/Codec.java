package dev.llama.cpu;

import dev.llama.DType;

/**
 * How elements of a stored format become floats. The one thing that kernels know of a format; the
 * layouts of the Q formats are those of ggml.
 */
interface Codec {
  /** Elements that kernels ask for at a time: a multiple of every format's block. */
  int CHUNK = 1024;

  /**
   * Decodes consecutive elements.
   *
   * @param segment where they are stored
   * @param offset of the first element's block, in bytes
   * @param count a multiple of the format's block
   * @param out receives them from {@code at} on
   * @param at index in {@code out}
   * @param scratch array slot 0 of each kind is the codec's to use
   */
  void decode(Segment segment, int offset, int count, float[] out, int at, Scratch scratch);

  /** Returns whether a format has a codec, without making it. */
  static boolean exists(DType type) {
    return type.isQuantized() || type == DType.F32 || type == DType.F16 || type == DType.BF16;
  }

  /**
   * Returns the codec of a format.
   *
   * @param type any
   * @return null if it cannot be computed with
   */
  static Codec of(DType type) {
    switch (type) {
      case F32:
        return PlainCodecs.F32;
      case F16:
        return PlainCodecs.F16;
      case BF16:
        return PlainCodecs.BF16;
      case Q8_0:
        return BlockCodecs.Q8_0;
      case Q4_0:
        return BlockCodecs.Q4_0;
      case Q4_1:
        return BlockCodecs.Q4_1;
      case Q5_0:
        return BlockCodecs.Q5_0;
      case Q5_1:
        return BlockCodecs.Q5_1;
      case Q2_K:
        return SuperBlockCodecs.Q2_K;
      case Q3_K:
        return SuperBlockCodecs.Q3_K;
      case Q4_K:
        return SuperBlockCodecs.Q4_K;
      case Q5_K:
        return SuperBlockCodecs.Q5_K;
      case Q6_K:
        return SuperBlockCodecs.Q6_K;
      default:
        return null;
    }
  }
}
