package dev.llama.core.quantize;

/**
 * Finds the scale, and the minimum where there is one, with which a few neighbouring elements are
 * stored with the least error. Errors are squared and weighted by {@code rms + |x|}: without
 * knowing the activations, large weights are taken to matter more, though not by their square.
 *
 * <p>Every candidate scale decides which integers the elements round to; for these integers the
 * best scale and minimum follow from the normal equations of linear least squares. One instance
 * belongs to one thread.
 */
final class Fit {
  private static final int STEPS = 12;

  private final double[] weight = new double[32];
  private double weights;
  private double weighted; // sum of weight x
  private double squares; // sum of weight x^2

  private float[] x;
  private int from;
  private int count;

  /** The scale found last. */
  float scale;

  /** The minimum found last, as the number to subtract: at least 0. */
  float minimum;

  /** Looks at elements from now on: at most 32. */
  void at(float[] elements, int first, int number) {
    x = elements;
    from = first;
    count = number;
    double total = 0;
    for (int i = 0; i < count; i++) {
      total += (double) x[from + i] * x[from + i];
    }
    double rms = Math.sqrt(total / count);
    weights = 0;
    weighted = 0;
    squares = 0;
    for (int i = 0; i < count; i++) {
      double w = rms + Math.abs(x[from + i]);
      weight[i] = w;
      weights += w;
      weighted += w * x[from + i];
      squares += w * x[from + i] * x[from + i];
    }
  }

  /**
   * Finds scale and minimum of {@code x = scale q - minimum}, q from 0 to {@code most}.
   *
   * @param most largest integer
   */
  void offset(int most) {
    float low = Math.min(0, x[from]);
    float high = x[from];
    for (int i = 1; i < count; i++) {
      low = Math.min(low, x[from + i]);
      high = Math.max(high, x[from + i]);
    }
    scale = 0;
    minimum = -low;
    if (high == low) {
      return; // all of them one negative number, or all 0
    }
    double best = Double.POSITIVE_INFINITY;
    for (int step = 0; step <= STEPS; step++) {
      // One to the widest scale that clips, one to the narrowest that leaves a number unused.
      float inverse = (most - 1 + 2f * step / STEPS) / (high - low);
      double q1 = 0;
      double q2 = 0;
      double qx = 0;
      for (int i = 0; i < count; i++) {
        int q = nearest(inverse * (x[from + i] - low), 0, most);
        double wq = weight[i] * q;
        q1 += wq;
        q2 += wq * q;
        qx += wq * x[from + i];
      }
      double determinant = weights * q2 - q1 * q1;
      double s = (weights * qx - q1 * weighted) / determinant;
      double m = (q1 * qx - q2 * weighted) / determinant;
      if (m < 0 || determinant <= 0) { // a determinant of 0: all q are equal
        s = qx / q2;
        m = 0;
      }
      double error = squares - s * qx + m * weighted;
      if (error < best && s > 0) {
        best = error;
        scale = (float) s;
        minimum = (float) m;
      }
    }
  }

  /**
   * Finds the scale of {@code x = scale q}, q from {@code -zero} to {@code zero - 1}. It may be
   * negative.
   *
   * @param zero half the number of integers
   */
  void symmetric(int zero) {
    float extreme = 0;
    for (int i = 0; i < count; i++) {
      extreme = Math.abs(x[from + i]) > Math.abs(extreme) ? x[from + i] : extreme;
    }
    scale = 0;
    minimum = 0;
    if (extreme == 0) {
      return;
    }
    double best = 0;
    for (int side = -1; side <= 1; side += 2) {
      // The extreme becomes -zero or zero - 1, or one off either.
      int target = side < 0 ? zero : zero - 1;
      for (int step = 0; step <= STEPS; step++) {
        float inverse = side * (target - 1 + 2f * step / STEPS) / extreme;
        double q2 = 0;
        double qx = 0;
        for (int i = 0; i < count; i++) {
          int q = nearest(inverse * x[from + i], -zero, zero - 1);
          double wq = weight[i] * q;
          q2 += wq * q;
          qx += wq * x[from + i];
        }
        if (q2 > 0 && qx * qx > best * q2) {
          best = qx * qx / q2; // by how much the error is less than with all of them 0
          scale = (float) (qx / q2);
        }
      }
    }
  }

  /** Returns the error with a scale and a minimum, every element rounded to the best integer. */
  double error(float s, float m, int least, int most) {
    double error = 0;
    float inverse = s == 0 ? 0 : 1 / s;
    for (int i = 0; i < count; i++) {
      int q = nearest((x[from + i] + m) * inverse, least, most);
      double difference = s * q - m - x[from + i];
      error += weight[i] * difference * difference;
    }
    return error;
  }

  /** Rounds the elements with a scale and a minimum. */
  void round(float s, float m, int least, int most, byte[] out, int at) {
    float inverse = s == 0 ? 0 : 1 / s;
    for (int i = 0; i < count; i++) {
      out[at + i] = (byte) (nearest((x[from + i] + m) * inverse, least, most) - least);
    }
  }

  /** Rounds without a branch on the sign: the sum's lowest bits are the integer. */
  private static int nearest(float value, int least, int most) {
    int q = Float.floatToRawIntBits(value + 0x1.8p23f) - 0x4b40_0000;
    return Math.max(least, Math.min(most, q));
  }
}
