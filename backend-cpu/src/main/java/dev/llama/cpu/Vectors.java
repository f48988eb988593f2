package dev.llama.cpu;

/**
 * Loops over arrays. C2 turns a loop into vector instructions only if its body is small and its
 * indices are the loop variable plus a constant: hence the separate arrays, where one with offsets
 * would do, and the fixed lengths. Sums are never vectorised, since that would change the order of
 * additions; eight at a time at least run in parallel.
 */
final class Vectors {
  /** Number of elements that {@link #foldProduct} takes. */
  static final int FOLD = Codec.CHUNK;

  /** Number of partial sums that it leaves. */
  static final int PARTIAL_SUMS = FOLD / 4;

  private static final int QUARTER = FOLD / 4;

  private Vectors() {}

  /** Adds the products of FOLD elements to PARTIAL_SUMS sums. */
  static void foldProduct(float[] sums, float[] a, float[] b) {
    for (int i = 0; i < QUARTER; i++) {
      sums[i] +=
          a[i] * b[i]
              + a[i + QUARTER] * b[i + QUARTER]
              + a[i + 2 * QUARTER] * b[i + 2 * QUARTER]
              + a[i + 3 * QUARTER] * b[i + 3 * QUARTER];
    }
  }

  /** Returns the sum of PARTIAL_SUMS sums, which it destroys. */
  static float total(float[] sums) {
    for (int i = 0; i < PARTIAL_SUMS / 4; i++) {
      sums[i] +=
          sums[i + PARTIAL_SUMS / 4] + sums[i + PARTIAL_SUMS / 2] + sums[i + 3 * PARTIAL_SUMS / 4];
    }
    return sum(sums, PARTIAL_SUMS / 4);
  }

  static float sum(float[] a, int count) {
    float s0 = 0;
    float s1 = 0;
    float s2 = 0;
    float s3 = 0;
    int i = 0;
    for (; i <= count - 4; i += 4) {
      s0 += a[i];
      s1 += a[i + 1];
      s2 += a[i + 2];
      s3 += a[i + 3];
    }
    for (; i < count; i++) {
      s0 += a[i];
    }
    return (s0 + s1) + (s2 + s3);
  }

  /** Returns the largest of some elements and a bound; NaN is passed over. */
  static float max(float[] a, int from, int to, float bound) {
    float max = bound;
    for (int i = from; i < to; i++) {
      // Not Math.max: its care for NaN and -0 makes a chain of five instructions per element.
      if (a[i] > max) {
        max = a[i];
      }
    }
    return max;
  }

  static float dot(float[] a, int aFrom, float[] b, int bFrom, int count) {
    float s0 = 0;
    float s1 = 0;
    float s2 = 0;
    float s3 = 0;
    float s4 = 0;
    float s5 = 0;
    float s6 = 0;
    float s7 = 0;
    int i = 0;
    for (; i <= count - 8; i += 8) {
      s0 += a[aFrom + i] * b[bFrom + i];
      s1 += a[aFrom + i + 1] * b[bFrom + i + 1];
      s2 += a[aFrom + i + 2] * b[bFrom + i + 2];
      s3 += a[aFrom + i + 3] * b[bFrom + i + 3];
      s4 += a[aFrom + i + 4] * b[bFrom + i + 4];
      s5 += a[aFrom + i + 5] * b[bFrom + i + 5];
      s6 += a[aFrom + i + 6] * b[bFrom + i + 6];
      s7 += a[aFrom + i + 7] * b[bFrom + i + 7];
    }
    for (; i < count; i++) {
      s0 += a[aFrom + i] * b[bFrom + i];
    }
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7));
  }

  /** {@code out += x0 a + x1 b + x2 c + x3 d}. */
  static void addScaled(
      float[] out,
      float x0,
      float[] a,
      float x1,
      float[] b,
      float x2,
      float[] c,
      float x3,
      float[] d,
      int count) {
    for (int i = 0; i < count; i++) {
      out[i] += x0 * a[i] + x1 * b[i] + x2 * c[i] + x3 * d[i];
    }
  }

  /** {@code out += x a}. */
  static void addScaled(float[] out, float x, float[] a, int count) {
    for (int i = 0; i < count; i++) {
      out[i] += x * a[i];
    }
  }

  static void scale(float[] a, float factor, int count) {
    for (int i = 0; i < count; i++) {
      a[i] *= factor;
    }
  }

  static void add(float[] a, float[] b, int count) {
    for (int i = 0; i < count; i++) {
      a[i] += b[i];
    }
  }

  static void multiply(float[] a, float[] b, int count) {
    for (int i = 0; i < count; i++) {
      a[i] *= b[i];
    }
  }
}
