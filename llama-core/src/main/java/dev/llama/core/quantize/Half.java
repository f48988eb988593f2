package dev.llama.core.quantize;

/** The 16-bit float formats, rounded to nearest, ties to even. */
final class Half {
  /** Largest finite F16. */
  static final float MAX = 65504;

  private Half() {}

  /** Rounds to IEEE binary16. */
  static short fromFloat(float value) {
    int bits = Float.floatToRawIntBits(value);
    int sign = bits >>> 16 & 0x8000;
    int magnitude = bits & 0x7fff_ffff;
    if (magnitude > 0x7f80_0000) {
      return (short) (sign | 0x7e00); // NaN
    }
    if (magnitude >= 0x477f_f000) {
      return (short) (sign | 0x7c00); // rounds to 65536 or more
    }
    if (magnitude < 0x3880_0000) {
      // Subnormal: adding 0.5 puts units of 2^-24 into the lowest bits, rounded by the hardware.
      int units = Float.floatToRawIntBits(Float.intBitsToFloat(magnitude) + 0.5f) - 0x3f00_0000;
      return (short) (sign | units);
    }
    int rounded = magnitude + 0xfff + (magnitude >>> 13 & 1);
    return (short) (sign | rounded - 0x3800_0000 >>> 13);
  }

  /**
   * Rounds the unit of small integer scales. Subnormal units are rounded up: smaller integers make
   * up for a unit that is too large, but none for one that is too small, or 0.
   */
  static short unit(float value) {
    boolean subnormal = Math.abs(value) < 0x1p-14f && value != 0;
    return fromFloat(subnormal ? value + Math.copySign(0x1.fp-26f, value) : value);
  }

  /** Value of an IEEE binary16. */
  static float toFloat(short half) {
    int magnitude = half & 0x7fff;
    // Exponents of binary32 are 112 larger; the product rounds nothing and makes subnormals normal.
    float value =
        magnitude >= 0x7c00
            ? Float.intBitsToFloat(0x7f80_0000 | magnitude << 13)
            : Float.intBitsToFloat(magnitude << 13) * 0x1p112f;
    return half < 0 ? -value : value;
  }

  /** Rounds to the upper half of a binary32. */
  static short toBf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if ((bits & 0x7fff_ffff) > 0x7f80_0000) {
      return (short) (bits >>> 16 | 64); // NaN stays NaN
    }
    return (short) (bits + 0x7fff + (bits >>> 16 & 1) >>> 16);
  }
}
