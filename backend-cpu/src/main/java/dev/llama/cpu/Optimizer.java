package dev.llama.cpu;

/** The norm of gradients, and the step of the optimizer. */
final class Optimizer {
  private static final int BLOCK = 2048; // elements of one row
  private static final int WEIGHT = 1;
  private static final int FIRST = 2;
  private static final int SECOND = 3;
  private static final int GRADIENT = 4;

  private static final int ADAM_COST = 12; // of an element, in multiply-adds

  /** What stays the same from step to step. */
  static final class Constants {
    final float beta1;
    final float beta2;
    final float eps;
    final float decay;

    Constants(float beta1, float beta2, float eps, float decay) {
      this.beta1 = beta1;
      this.beta2 = beta2;
      this.eps = eps;
      this.decay = decay;
    }

    float oneMinusBeta1() {
      return (float) (1 - (double) beta1);
    }

    float oneMinusBeta2() {
      return (float) (1 - (double) beta2);
    }
  }

  private final WorkerPool pool;

  Optimizer(WorkerPool pool) {
    this.pool = pool;
  }

  /**
   * {@code sum[0] += sum(x * x)}, in double.
   *
   * @param sum [1]
   * @param x any shape
   */
  void sumOfSquares(CpuTensor sum, CpuTensor x) {
    int rows = (int) x.rows();
    int width = (int) x.width();
    double[] parts = new double[rows];
    pool.parallelFor(
        rows,
        Work.grain(pool, rows, 2L * width),
        (from, to, scratch) -> {
          float[] row = scratch.floats(FIRST, BLOCK);
          for (int r = from; r < to; r++) {
            double total = 0;
            for (int at = 0; at < width; at += BLOCK) {
              int count = Math.min(BLOCK, width - at);
              x.get(r, at, count, row, 0);
              total += sumOfSquares(row, count);
            }
            parts[r] = total;
          }
        });
    double total = 0;
    for (double part : parts) {
      total += part;
    }
    float[] old = new float[1];
    sum.get(0, 0, 1, old, 0);
    sum.putFloat(0, 0, (float) (old[0] + total));
  }

  private static double sumOfSquares(float[] x, int count) {
    double s0 = 0;
    double s1 = 0;
    double s2 = 0;
    double s3 = 0;
    int i = 0;
    for (; i <= count - 4; i += 4) {
      s0 += (double) x[i] * x[i];
      s1 += (double) x[i + 1] * x[i + 1];
      s2 += (double) x[i + 2] * x[i + 2];
      s3 += (double) x[i + 3] * x[i + 3];
    }
    for (; i < count; i++) {
      s0 += (double) x[i] * x[i];
    }
    return (s0 + s1) + (s2 + s3);
  }

  /**
   * One step of AdamW.
   *
   * @param weight any shape, in place
   * @param m first moment, in place
   * @param v second moment, in place
   * @param gradient of the same shape
   * @param step [4]: lr, 1 - beta1^t, 1 - beta2^t, clip
   * @param constants betas, eps, decay
   */
  void adamW(
      CpuTensor weight,
      CpuTensor m,
      CpuTensor v,
      CpuTensor gradient,
      CpuTensor step,
      Constants constants) {
    int width = (int) weight.width();
    int blocks = (width - 1) / BLOCK + 1;
    int count = Math.multiplyExact((int) weight.rows(), blocks);
    float[] now = new float[4];
    step.get(0, 0, 4, now, 0);
    pool.parallelFor(
        count,
        Work.grain(pool, count, (long) ADAM_COST * Math.min(width, BLOCK)),
        (from, to, scratch) -> {
          for (int i = from; i < to; i++) {
            int row = i / blocks;
            int column = i % blocks * BLOCK;
            int size = Math.min(BLOCK, width - column);
            float[] w = scratch.floats(WEIGHT, size);
            float[] first = scratch.floats(FIRST, size);
            float[] second = scratch.floats(SECOND, size);
            float[] g = scratch.floats(GRADIENT, size);
            weight.get(row, column, size, w, 0);
            m.get(row, column, size, first, 0);
            v.get(row, column, size, second, 0);
            gradient.get(row, column, size, g, 0);
            adamW(w, first, second, g, now, constants, size);
            weight.put(row, column, size, w, 0);
            m.put(row, column, size, first, 0);
            v.put(row, column, size, second, 0);
          }
        });
  }

  private static void adamW(
      float[] w, float[] m, float[] v, float[] g, float[] step, Constants c, int count) {
    float beta1 = c.beta1;
    float beta2 = c.beta2;
    float rest1 = c.oneMinusBeta1();
    float rest2 = c.oneMinusBeta2();
    float keep = 1f - step[0] * c.decay;
    float rate = step[0] / step[1];
    float unbias = 1f / step[2];
    float clip = step[3];
    float eps = c.eps;
    for (int i = 0; i < count; i++) {
      float clipped = g[i] * clip;
      m[i] = beta1 * m[i] + rest1 * clipped;
      v[i] = beta2 * v[i] + rest2 * clipped * clipped;
    }
    for (int i = 0; i < count; i++) {
      float root = (float) Math.sqrt(v[i] * unbias);
      w[i] = w[i] * keep - rate * m[i] / (root + eps);
    }
  }
}
