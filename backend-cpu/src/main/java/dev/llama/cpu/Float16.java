package dev.llama.cpu;

/** Conversion between IEEE 754 binary16 and binary32; Java 17 has none. */
final class Float16 {
  private static final int FIRST_NORMAL = 0x400;
  private static final int INFINITY = 0x7c00;

  private Float16() {}

  /**
   * Returns the same as {@link #toFloat}, for numbers that come one at a time: without a product of
   * subnormal numbers, for which the processor stops for hundreds of cycles.
   */
  static float single(int bits) {
    int magnitude = bits & 0x7fff;
    if (magnitude >= INFINITY) {
      return toFloat((short) bits);
    }
    int sign = (bits & 0x8000) << 16;
    return magnitude >= FIRST_NORMAL
        ? Float.intBitsToFloat(sign | (magnitude << 13) + (112 << 23))
        : magnitude * Float.intBitsToFloat(sign | Float.floatToRawIntBits(0x1p-24f));
  }

  /** Returns the exact value of a binary16; infinities stay, NaN keeps its payload. */
  static float toFloat(short half) {
    int sign = (half & 0x8000) << 16;
    int magnitude = half & 0x7fff;
    if (magnitude >= 0x7c00) {
      return Float.intBitsToFloat(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
    }
    // Shifted to its place, the exponent is 112 too small; the product is exact, and it gives
    // subnormal halves the exponent that they lack.
    return Float.intBitsToFloat(sign | magnitude << 13) * 0x1p112f;
  }

  /** Returns the nearest binary16, ties to even; what is too large becomes infinite. */
  static short fromFloat(float value) {
    int bits = Float.floatToRawIntBits(value);
    int sign = bits >>> 16 & 0x8000;
    int magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) {
      // At least one bit of the payload must remain, or NaN would become infinite.
      return (short) (sign | 0x7e00 | magnitude >>> 13 & 0x3ff);
    }
    if (magnitude >= 0x477ff000) {
      return (short) (sign | 0x7c00);
    }
    if (magnitude < 0x38800000) {
      // Below 2^-14: adding 0.5 leaves the multiple of 2^-24, correctly rounded, in the low bits.
      float aligned = Float.intBitsToFloat(magnitude) + 0.5f;
      return (short) (sign | Float.floatToRawIntBits(aligned) - 0x3f000000);
    }
    int odd = magnitude >>> 13 & 1;
    return (short) (sign | magnitude - 0x38000000 + 0xfff + odd >>> 13);
  }
}
