package dev.llama.spi.conformance;

import dev.llama.DType;

/**
 * How far a result may be from the formula. Wide enough for any order of summation and any good
 * approximation of exp and sin, narrow enough that an element too many or too few shows.
 *
 * <p>A sum of n products rounded to F32 in any order: {@code 4 · 2⁻²⁴ · sqrt(n + 4) · Σ|aᵢ bᵢ|}
 * (roundings are independent; the worst case would be n, not its root).
 *
 * <p>Activations that are rounded before the product, each by at most uᵢ: {@code 4 · sqrt(Σ(uᵢ
 * bᵢ)²)}. Four standard deviations of the widest distribution are seven of the actual, uniform one.
 */
final class Bounds {
  /** Unit round-off of F32. */
  static final double F32 = 0x1p-24;

  /** Unit round-off of F16. */
  static final double F16 = 0x1p-11;

  /** Unit round-off of BF16. */
  static final double BF16 = 0x1p-8;

  /** Half a step of int8, as a part of the largest activation of its block. */
  static final double INT8 = 1.0 / 254;

  /** Activations that share a scale when they are quantised to int8. */
  static final int INT8_BLOCK = 32;

  private Bounds() {}

  /** Relative error of a sum of n terms, to be multiplied by the sum of their magnitudes. */
  static double sum(int n) {
    return 4 * F32 * Math.sqrt(n + 4);
  }

  /** Bound of each element of x [rows, inputs] · weightᵀ with weights of a type. */
  static double[] matmul(double[] x, double[] weight, int inputs, DType type) {
    int rows = x.length / inputs;
    int outputs = weight.length / inputs;
    double[] rounding = activationRounding(x, inputs, type);
    double[] bound = new double[rows * outputs];
    for (int r = 0; r < rows; r++) {
      for (int o = 0; o < outputs; o++) {
        double magnitude = 0;
        double squares = 0;
        for (int i = 0; i < inputs; i++) {
          double w = weight[o * inputs + i];
          double error = rounding[r * inputs + i] * w;
          magnitude += Math.abs(x[r * inputs + i] * w);
          squares += error * error;
        }
        // The scales of quantised activations may be F16, and so may the sums of their blocks.
        double relative = sum(inputs) + (type.isQuantized() ? 2 * F16 : 0);
        bound[r * outputs + o] = relative * magnitude + 4 * Math.sqrt(squares);
      }
    }
    return bound;
  }

  /**
   * Largest rounding of each activation that a product with weights of a type may do first: none
   * for F32; to the type itself for F16 and BF16, which is what matrix units take; to int8 for
   * quantised types.
   */
  private static double[] activationRounding(double[] x, int inputs, DType type) {
    double[] rounding = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      if (type.isQuantized()) {
        int block = i - i % inputs % INT8_BLOCK;
        double largest = 0;
        for (int j = block; j < block + INT8_BLOCK; j++) {
          largest = Math.max(largest, Math.abs(x[j]));
        }
        rounding[i] = largest * INT8;
      } else if (type != DType.F32) {
        rounding[i] = Math.abs(x[i]) * (type == DType.F16 ? F16 : BF16);
      }
    }
    return rounding;
  }

  /** The same relative bound for each element, and a small absolute one. */
  static double[] relative(double[] expected, double relative, double absolute) {
    double[] bound = new double[expected.length];
    for (int i = 0; i < bound.length; i++) {
      bound[i] = Math.abs(expected[i]) * relative + absolute;
    }
    return bound;
  }
}
