package dev.llama.cpu;

import dev.llama.InvalidInputException;
import java.util.Arrays;

/** Softmax cross-entropy and its gradient, row by row. */
final class Loss {
  private static final int ROW = 1;
  private static final int PIECE = 2;
  private static final int BLOCK = Scratch.BITS;

  private static final int COST = 12; // of an element, in multiply-adds

  private final WorkerPool pool;

  Loss(WorkerPool pool) {
    this.pool = pool;
  }

  /**
   * Loss and gradient.
   *
   * @param loss [rows]
   * @param dLogits [rows, width], may be logits; or null
   * @param logits [rows, width]
   * @param targets I32 [rows], -1 for none
   * @param scale [1]
   */
  void crossEntropy(
      CpuTensor loss, CpuTensor dLogits, CpuTensor logits, CpuTensor targets, CpuTensor scale) {
    int rows = (int) logits.rows();
    int width = (int) logits.width();
    requireTargets(targets, rows, width);
    pool.parallelFor(
        rows,
        Work.grain(pool, rows, (long) COST * width),
        (from, to, scratch) -> {
          float[] row = scratch.floats(ROW, width);
          float[] one = new float[1];
          scale.get(0, 0, 1, one, 0);
          for (int r = from; r < to; r++) {
            int target = targets.getInt(r);
            if (target < 0) {
              loss.putFloat(0, r, 0f);
              Arrays.fill(row, 0, width, 0f);
            } else {
              logits.get(r, 0, width, row, 0);
              loss.putFloat(0, r, row(row, width, target, one[0], scratch));
            }
            if (dLogits != null) {
              dLogits.put(r, 0, width, row, 0);
            }
          }
        });
  }

  /** Fails before anything is written. */
  static void requireTargets(CpuTensor targets, int rows, int width) {
    for (int r = 0; r < rows; r++) {
      int target = targets.getInt(r);
      if (target < -1 || target >= width) {
        throw new InvalidInputException(
            "crossEntropy: target "
                + target
                + " in row "
                + r
                + " is neither in [0, "
                + width
                + ") nor -1, which means none");
      }
    }
  }

  /** Turns logits into their gradient and returns the loss. */
  private static float row(float[] row, int width, int target, float scale, Scratch scratch) {
    float max = Vectors.max(row, 0, width, Float.NEGATIVE_INFINITY);
    double distance = (double) max - row[target];
    double sum = 0;
    float[] piece = scratch.floats(PIECE, BLOCK);
    for (int at = 0; at < width; at += BLOCK) {
      int count = Math.min(BLOCK, width - at);
      for (int i = 0; i < count; i++) {
        piece[i] = row[at + i] - max;
      }
      Functions.exp(piece, count, scratch);
      System.arraycopy(piece, 0, row, at, count);
      sum += Vectors.sum(piece, count);
    }
    Vectors.scale(row, (float) (scale / sum), width);
    row[target] -= scale;
    return (float) (distance + Math.log(sum));
  }
}
