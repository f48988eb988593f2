package dev.llama.cpu;

/** Transcendental functions to float precision, faster than those of {@link Math}. */
final class Functions {
  private static final float LOG2E = 1.44269504f;
  // ln 2 in two parts: products of the first with an exponent are exact.
  private static final float LN2_HIGH = 0.693359375f;
  private static final float LN2_LOW = -2.12194440e-4f;
  private static final float ROUND = 12582912f; // 1.5 * 2^23: adding it rounds to an integer

  // Minimax polynomial of (exp(r) - 1 - r) / r^2 for |r| <= ln 2 / 2 (Cephes, expf).
  private static final float P0 = 5.0000001201e-1f;
  private static final float P1 = 1.6666665459e-1f;
  private static final float P2 = 4.1665795894e-2f;
  private static final float P3 = 8.3334519073e-3f;
  private static final float P4 = 1.3981999507e-3f;
  private static final float P5 = 1.9875691500e-4f;

  private static final int SHORT = 32; // measured: below, the copies cost more than they save

  private Functions() {}

  /**
   * Exponential function, relative error below 2e-7 (about 2 ulp). 0 below -87.3, where results
   * would be subnormal; infinite above 88.72; NaN for NaN.
   */
  static float exp(float x) {
    if (!(x > -87.3f)) {
      return x != x ? x : 0f;
    }
    if (x > 88.72f) {
      return Float.POSITIVE_INFINITY;
    }
    float rounded = x * LOG2E + ROUND;
    float n = rounded - ROUND;
    float r = x - n * LN2_HIGH - n * LN2_LOW; // |r| <= ln 2 / 2
    float e = reduced(r);
    // n is in [-126, 128]; in two factors, because 2^128 is not a float.
    int exponent = (int) n;
    int half = exponent >> 1;
    return e * powerOfTwo(half) * powerOfTwo(exponent - half);
  }

  /**
   * Exponential function of an array, in place, by loops that C2 vectorises. As {@link
   * #exp(float)}, but results are at least 1.2e-38 and at most 1.7e38.
   *
   * @param x at most {@link Scratch#BITS} elements are used
   * @param count how many
   * @param scratch its bits, and its array of integers
   */
  static void exp(float[] x, int count, Scratch scratch) {
    if (count < SHORT) {
      for (int i = 0; i < count; i++) {
        x[i] = exp(x[i]);
      }
      return;
    }
    Segment bits = scratch.bits();
    int[] exponents = scratch.ints(count);
    float[] rounded = scratch.floats(0, count);
    for (int i = 0; i < count; i++) {
      float clamped = Math.max(-87.3f, Math.min(88f, x[i]));
      x[i] = clamped;
      rounded[i] = clamped * LOG2E + ROUND;
    }
    bits.floats.put(0, rounded, 0, count);
    bits.ints.get(0, exponents, 0, count);
    // The low bits of the rounded number are the exponent of two; moved up, they make 2^n.
    for (int i = 0; i < count; i++) {
      exponents[i] = (exponents[i] << 23) + 0x3f800000;
    }
    for (int i = 0; i < count; i++) {
      float n = rounded[i] - ROUND;
      x[i] = x[i] - n * LN2_HIGH - n * LN2_LOW;
    }
    bits.ints.put(0, exponents, 0, count);
    bits.floats.get(0, rounded, 0, count);
    for (int i = 0; i < count; i++) {
      x[i] = reduced(x[i]) * rounded[i];
    }
  }

  /** Returns exp(r) for |r| up to ln 2 / 2. */
  private static float reduced(float r) {
    float p = ((((P5 * r + P4) * r + P3) * r + P2) * r + P1) * r + P0;
    return p * r * r + r + 1f;
  }

  private static float powerOfTwo(int exponent) {
    return Float.intBitsToFloat(exponent + 127 << 23);
  }

  /** Gaussian error linear unit: {@code x * (1 + erf(x / sqrt(2))) / 2}. */
  static float gelu(float x) {
    return (float) (0.5 * x * erfc(-x * 0.70710678118654752440));
  }

  /**
   * Complementary error function, {@code 1 - erf(x)}, relative error below 1.2e-7 (Press et al.,
   * Numerical Recipes, 2nd edition, section 6.2). By way of the complement, because {@code 1 +
   * erf(x)} would lose all digits where GELU is close to 0.
   */
  static double erfc(double x) {
    double z = Math.abs(x);
    double t = 1 / (1 + 0.5 * z);
    double p = 0.17087277;
    p = -0.82215223 + t * p;
    p = 1.48851587 + t * p;
    p = -1.13520398 + t * p;
    p = 0.27886807 + t * p;
    p = -0.18628806 + t * p;
    p = 0.09678418 + t * p;
    p = 0.37409196 + t * p;
    p = 1.00002368 + t * p;
    p = -1.26551223 + t * p;
    double tail = t * Math.exp(-z * z + p);
    return x >= 0 ? tail : 2 - tail;
  }
}
