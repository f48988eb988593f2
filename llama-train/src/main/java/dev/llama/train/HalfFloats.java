package dev.llama.train;

/** The two 16-bit formats that checkpoints store, to and from F32. */
final class HalfFloats {
  private static final int F16_EXPONENT_BIAS_GAP = 127 - 15;

  private HalfFloats() {}

  static float fromBf16(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  /** Rounds to the nearest, to even in the middle. NaN stays NaN. */
  static short toBf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) (bits >>> 16 | 0x40);
    }
    return (short) (bits + 0x7FFF + (bits >>> 16 & 1) >>> 16);
  }

  static float fromF16(short bits) {
    int sign = (bits & 0x8000) << 16;
    int exponent = bits >>> 10 & 0x1F;
    int mantissa = bits & 0x3FF;
    if (exponent == 0) { // zero and subnormal numbers
      float magnitude = mantissa * 0x1p-24f;
      return sign == 0 ? magnitude : -magnitude;
    }
    int wide = exponent == 0x1F ? 0xFF : exponent + F16_EXPONENT_BIAS_GAP;
    return Float.intBitsToFloat(sign | wide << 23 | mantissa << 13);
  }

  /** Rounds to the nearest, to even in the middle; beyond 65504 to infinity. NaN stays NaN. */
  static short toF16(float value) {
    int bits = Float.floatToRawIntBits(value);
    int sign = bits >>> 16 & 0x8000;
    float magnitude = Math.abs(value);
    if (Float.isNaN(value)) {
      return (short) (sign | 0x7E00);
    } else if (magnitude >= 65520) {
      return (short) (sign | 0x7C00);
    } else if (magnitude < 0x1p-14f) { // subnormal: multiples of 2^-24
      return (short) (sign | (int) Math.rint(magnitude * 0x1p24));
    }
    int rounded = (bits & 0x7FFFFFFF) + 0xFFF + (bits >>> 13 & 1);
    return (short) (sign | (rounded >>> 13) - (F16_EXPONENT_BIAS_GAP << 10));
  }
}
