package dev.llama.cpu;

import dev.llama.InvalidInputException;
import dev.llama.spi.RopeTable;
import dev.llama.spi.RopeTable.Pairing;
import dev.llama.spi.Tensor;

/** Rotation of queries and keys by their positions. */
final class Rotary {
  private static final int ROW = 1;
  private static final int FREQUENCIES = 2;
  private static final int COSINES = 3;
  private static final int SINES = 4;

  private static final int TRIGONOMETRY = 40; // cost of one pair's cos and sin, in multiply-adds

  private final WorkerPool pool;

  Rotary(WorkerPool pool) {
    this.pool = pool;
  }

  /**
   * Checks what it is given, and rotates in place.
   *
   * @param op for messages
   * @param q [rows, heads * headDim]
   * @param k [rows, keyValueHeads * headDim]
   * @param positions I32 [rows]
   * @param table frequencies, magnitude and pairing
   * @param back the other way round, as for gradients
   */
  void rotate(String op, Tensor q, Tensor k, Tensor positions, RopeTable table, boolean back) {
    check(op, q, k, positions, table);
    rotate(
        (CpuTensor) q,
        (CpuTensor) k,
        (CpuTensor) positions,
        (CpuTensor) table.inverseFrequencies(),
        table.magnitude(),
        table.pairing(),
        back ? -1 : 1);
  }

  /** Refuses what does not fit together. */
  static void check(String op, Tensor q, Tensor k, Tensor positions, RopeTable table) {
    CpuTensor queries = Checks.floats(op, "q", q);
    CpuTensor keys = Checks.floats(op, "k", k);
    CpuTensor frequencies = Checks.floats(op, "inverseFrequencies", table.inverseFrequencies());
    long headDim = 2 * frequencies.width();
    if (queries.rows() != keys.rows()
        || queries.width() % headDim != 0
        || keys.width() % headDim != 0) {
      throw new InvalidInputException(
          "shape mismatch in "
              + op
              + ": q "
              + Segments.describe(queries.shape())
              + " k "
              + Segments.describe(keys.shape())
              + " headDim "
              + headDim);
    }
    Checks.integers(op, "positions", positions, queries.rows());
  }

  /**
   * Rotates in place.
   *
   * @param q [rows, heads * headDim]
   * @param k [rows, keyValueHeads * headDim]
   * @param positions I32 [rows]
   * @param frequencies [headDim / 2]
   * @param magnitude factor
   * @param pairing which elements make a pair
   * @param direction 1, or -1 for the inverse rotation
   */
  private void rotate(
      CpuTensor q,
      CpuTensor k,
      CpuTensor positions,
      CpuTensor frequencies,
      float magnitude,
      Pairing pairing,
      int direction) {
    int pairs = (int) frequencies.width();
    int rows = (int) q.rows();
    long each = 2 * (q.width() + k.width()) + (long) TRIGONOMETRY * pairs;
    pool.parallelFor(
        rows,
        Work.grain(pool, rows, each),
        (from, to, scratch) -> {
          float[] frequency = scratch.floats(FREQUENCIES, pairs);
          float[] cos = scratch.floats(COSINES, pairs);
          float[] sin = scratch.floats(SINES, pairs);
          frequencies.get(0, 0, pairs, frequency, 0);
          for (int r = from; r < to; r++) {
            // The angle is a float product, as in the models' training; its cosine is then exact.
            float position = direction * positions.getInt(r);
            for (int i = 0; i < pairs; i++) {
              double angle = position * frequency[i];
              cos[i] = (float) (Math.cos(angle) * magnitude);
              sin[i] = (float) (Math.sin(angle) * magnitude);
            }
            rotateRow(q, r, cos, sin, pairs, pairing, scratch);
            rotateRow(k, r, cos, sin, pairs, pairing, scratch);
          }
        });
  }

  private static void rotateRow(
      CpuTensor x, int r, float[] cos, float[] sin, int pairs, Pairing pairing, Scratch scratch) {
    int width = (int) x.width();
    float[] row = scratch.floats(ROW, width);
    x.get(r, 0, width, row, 0);
    int step = pairing == Pairing.HALVES ? 1 : 2;
    int distance = pairing == Pairing.HALVES ? pairs : 1;
    for (int head = 0; head < width; head += 2 * pairs) {
      for (int i = 0; i < pairs; i++) {
        int first = head + i * step;
        int second = first + distance;
        float a = row[first];
        float b = row[second];
        row[first] = a * cos[i] - b * sin[i];
        row[second] = b * cos[i] + a * sin[i];
      }
    }
    x.put(r, 0, width, row, 0);
  }
}
