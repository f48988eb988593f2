package dev.llama.cpu;

import java.util.Arrays;

/**
 * Gradients of norms. With the normalised row n and g = dOut * weight: {@code dX = rstd * (g -
 * mean(g) - n * mean(g * n))}, where the root-mean-square norm has no mean(g); {@code dWeight +=
 * dOut * n}, {@code dBias += dOut}. Weights' gradients are added up in parts of rows.
 */
final class NormGradients {
  private static final int PART = RowGradients.PART;

  private static final int ROW = 1;
  private static final int GRADIENT = 2;
  private static final int WEIGHT = 3;
  private static final int WEIGHT_SUM = 4;
  private static final int BIAS_SUM = 5;
  private static final int NUMBERS = 6;

  private final WorkerPool pool;
  private final Workspace workspace;

  NormGradients(WorkerPool pool, Workspace workspace) {
    this.pool = pool;
    this.workspace = workspace;
  }

  /** Root-mean-square norm; shapes as in {@link dev.llama.spi.GradOps#rmsNorm}. */
  void rms(
      CpuTensor dX,
      CpuTensor dWeight,
      CpuTensor dOut,
      CpuTensor x,
      CpuTensor weight,
      CpuTensor rstd) {
    norm(dX, dWeight, null, dOut, x, weight, null, rstd);
  }

  /** Layer norm; shapes as in {@link dev.llama.spi.GradOps#layerNorm}. */
  void layer(
      CpuTensor dX,
      CpuTensor dWeight,
      CpuTensor dBias,
      CpuTensor dOut,
      CpuTensor x,
      CpuTensor weight,
      CpuTensor mean,
      CpuTensor rstd) {
    norm(dX, dWeight, dBias, dOut, x, weight, mean, rstd);
  }

  private void norm(
      CpuTensor dX,
      CpuTensor dWeight,
      CpuTensor dBias,
      CpuTensor dOut,
      CpuTensor x,
      CpuTensor weight,
      CpuTensor mean,
      CpuTensor rstd) {
    int rows = (int) x.rows();
    int width = (int) x.width();
    int parts = (rows - 1) / PART + 1;
    int half = Math.multiplyExact(parts, width);
    Segment sums = workspace.take(2L * half, "sums of a norm's gradient");
    pool.parallelFor(
        parts,
        Work.grain(pool, parts, 8L * PART * width),
        (from, to, scratch) -> {
          float[] w = scratch.floats(WEIGHT, width);
          weight.get(0, 0, width, w, 0);
          for (int part = from; part < to; part++) {
            float[] weightSum = cleared(WEIGHT_SUM, width, scratch);
            float[] biasSum = cleared(BIAS_SUM, width, scratch);
            for (int r = part * PART; r < Math.min(rows, (part + 1) * PART); r++) {
              float[] row = scratch.floats(ROW, width);
              float[] gradient = scratch.floats(GRADIENT, width);
              float[] number = scratch.floats(NUMBERS, 2);
              x.get(r, 0, width, row, 0);
              dOut.get(r, 0, width, gradient, 0);
              rstd.get(0, r, 1, number, 0);
              number[1] = 0;
              if (mean != null) {
                mean.get(0, r, 1, number, 1);
                Vectors.add(biasSum, gradient, width);
              }
              normalise(row, number[1], number[0], width);
              addProducts(weightSum, gradient, row, width);
              Vectors.multiply(gradient, w, width);
              row(gradient, row, number[0], mean != null, width);
              dX.put(r, 0, width, gradient, 0);
            }
            sums.floats.put(part * width, weightSum, 0, width);
            sums.floats.put(half + part * width, biasSum, 0, width);
          }
        });
    RowGradients.addParts(pool, dWeight, sums, 0, parts, width);
    if (dBias != null) {
      RowGradients.addParts(pool, dBias, sums, half, parts, width);
    }
    workspace.give(sums);
  }

  private static float[] cleared(int slot, int width, Scratch scratch) {
    float[] sum = scratch.floats(slot, width);
    Arrays.fill(sum, 0, width, 0f);
    return sum;
  }

  private static void normalise(float[] row, float mean, float rstd, int count) {
    for (int i = 0; i < count; i++) {
      row[i] = (row[i] - mean) * rstd;
    }
  }

  private static void addProducts(float[] sum, float[] a, float[] b, int count) {
    for (int i = 0; i < count; i++) {
      sum[i] += a[i] * b[i];
    }
  }

  /** Turns g into dX. */
  private static void row(float[] g, float[] n, float rstd, boolean centred, int count) {
    float slope = Vectors.dot(g, 0, n, 0, count) / count;
    float mean = centred ? Vectors.sum(g, count) / count : 0f;
    for (int i = 0; i < count; i++) {
      g[i] = (g[i] - mean - n[i] * slope) * rstd;
    }
  }
}
