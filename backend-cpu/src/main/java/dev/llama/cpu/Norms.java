package dev.llama.cpu;

/** Norms, row by row. Sums are taken in double: it costs nothing here and keeps long rows exact. */
final class Norms {
  private static final int ROW = 1;
  private static final int WEIGHT = 2;
  private static final int BIAS = 3;

  private final WorkerPool pool;

  Norms(WorkerPool pool) {
    this.pool = pool;
  }

  /**
   * Root-mean-square norm.
   *
   * @param out [rows, width]
   * @param rstd [rows] or null
   * @param x [rows, width]
   * @param weight [width]
   * @param eps added to the mean square
   */
  void rms(CpuTensor out, CpuTensor rstd, CpuTensor x, CpuTensor weight, float eps) {
    int width = (int) x.width();
    int rows = (int) x.rows();
    pool.parallelFor(
        rows,
        Work.grain(pool, rows, 2L * width),
        (from, to, scratch) -> {
          float[] row = scratch.floats(ROW, width);
          float[] w = scratch.floats(WEIGHT, width);
          weight.get(0, 0, width, w, 0);
          for (int r = from; r < to; r++) {
            x.get(r, 0, width, row, 0);
            float inverse = (float) (1 / Math.sqrt(sumOfSquares(row, 0, width) / width + eps));
            Vectors.scale(row, inverse, width);
            Vectors.multiply(row, w, width);
            out.put(r, 0, width, row, 0);
            if (rstd != null) {
              rstd.putFloat(0, r, inverse);
            }
          }
        });
  }

  /**
   * Layer norm.
   *
   * @param out [rows, width]
   * @param mean [rows] or null
   * @param rstd [rows] or null
   * @param x [rows, width]
   * @param weight [width]
   * @param bias [width]
   * @param eps added to the variance
   */
  void layer(
      CpuTensor out,
      CpuTensor mean,
      CpuTensor rstd,
      CpuTensor x,
      CpuTensor weight,
      CpuTensor bias,
      float eps) {
    int width = (int) x.width();
    int rows = (int) x.rows();
    pool.parallelFor(
        rows,
        Work.grain(pool, rows, 3L * width),
        (from, to, scratch) -> {
          float[] row = scratch.floats(ROW, width);
          float[] w = scratch.floats(WEIGHT, width);
          float[] b = scratch.floats(BIAS, width);
          weight.get(0, 0, width, w, 0);
          bias.get(0, 0, width, b, 0);
          for (int r = from; r < to; r++) {
            x.get(r, 0, width, row, 0);
            float average = (float) (total(row, width) / width);
            double variance = sumOfSquares(row, average, width) / width;
            float inverse = (float) (1 / Math.sqrt(variance + eps));
            for (int i = 0; i < width; i++) {
              row[i] = (row[i] - average) * inverse * w[i] + b[i];
            }
            out.put(r, 0, width, row, 0);
            if (mean != null) {
              mean.putFloat(0, r, average);
            }
            if (rstd != null) {
              rstd.putFloat(0, r, inverse);
            }
          }
        });
  }

  private static double total(float[] row, int count) {
    double even = 0;
    double odd = 0;
    int i = 0;
    for (; i <= count - 2; i += 2) {
      even += row[i];
      odd += row[i + 1];
    }
    return i < count ? even + odd + row[i] : even + odd;
  }

  /** Returns the sum of {@code (row[i] - center)^2}. */
  private static double sumOfSquares(float[] row, float center, int count) {
    double s0 = 0;
    double s1 = 0;
    double s2 = 0;
    double s3 = 0;
    int i = 0;
    for (; i <= count - 4; i += 4) {
      double d0 = (double) row[i] - center;
      double d1 = (double) row[i + 1] - center;
      double d2 = (double) row[i + 2] - center;
      double d3 = (double) row[i + 3] - center;
      s0 += d0 * d0;
      s1 += d1 * d1;
      s2 += d2 * d2;
      s3 += d3 * d3;
    }
    for (; i < count; i++) {
      double d = (double) row[i] - center;
      s0 += d * d;
    }
    return (s0 + s1) + (s2 + s3);
  }
}
