package dev.llama.cpu;

/** Transcendental functions to float precision, faster than those of {@link Math}. */
final class Functions {
  private static final float LOG2E = 1.44269504f;
  // ln 2 in two parts: products of the first with an exponent are exact.
  private static final float LN2_HIGH = 0.693359375f;
  private static final float LN2_LOW = -2.12194440e-4f;
  private static final float ROUND = 12582912f; // 1.5 * 2^23: adding it rounds to an integer

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
    // Minimax polynomial of (exp(r) - 1 - r) / r^2 on that interval (Cephes, expf).
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    float e = p * r * r + r + 1f;
    // n is in [-126, 128]; in two factors, because 2^128 is not a float.
    int exponent = (int) n;
    int half = exponent >> 1;
    return e * powerOfTwo(half) * powerOfTwo(exponent - half);
  }

  private static float powerOfTwo(int exponent) {
    return Float.intBitsToFloat(exponent + 127 << 23);
  }

  /** {@code x * sigmoid(x)}. */
  static float silu(float x) {
    return x / (1f + exp(-x));
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
    double p =
        -1.26551223
            + t
                * (1.00002368
                    + t
                        * (0.37409196
                            + t
                                * (0.09678418
                                    + t
                                        * (-0.18628806
                                            + t
                                                * (0.27886807
                                                    + t
                                                        * (-1.13520398
                                                            + t
                                                                * (1.48851587
                                                                    + t
                                                                        * (-0.82215223
                                                                            + t
                                                                                * 0.17087277))))))));
    double tail = t * Math.exp(-z * z + p);
    return x >= 0 ? tail : 2 - tail;
  }
}
