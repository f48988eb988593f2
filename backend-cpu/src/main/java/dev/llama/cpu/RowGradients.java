package dev.llama.cpu;

import dev.llama.InvalidInputException;
import java.util.Arrays;

/** Gradients that add rows up. */
final class RowGradients {
  /** Rows whose sum is one part. */
  static final int PART = 64;

  private static final int COLUMNS = 64; // that one task has, of all rows

  private static final int ROW = 1;
  private static final int SUM = 2;

  private final WorkerPool pool;
  private final Workspace workspace;

  RowGradients(WorkerPool pool, Workspace workspace) {
    this.pool = pool;
    this.workspace = workspace;
  }

  /**
   * {@code dTable[tokens[r]] += dOut[r]}.
   *
   * @param dTable [n, width]
   * @param dOut [rows, width]
   * @param tokens I32 [rows]
   */
  void embed(CpuTensor dTable, CpuTensor dOut, CpuTensor tokens) {
    int rows = (int) dOut.rows();
    int width = (int) dOut.width();
    for (int r = 0; r < rows; r++) {
      int token = tokens.getInt(r);
      if (token < 0 || token >= dTable.rows()) {
        throw new InvalidInputException(
            "gradient of embed: token "
                + token
                + " in row "
                + r
                + " is not in [0, "
                + dTable.rows()
                + ")");
      }
    }
    int pieces = (width - 1) / COLUMNS + 1;
    // Tasks have columns, not rows: the same token may come in many rows.
    pool.parallelFor(
        pieces,
        Work.grain(pool, pieces, 2L * rows * COLUMNS),
        (from, to, scratch) -> {
          int first = from * COLUMNS;
          int count = Math.min(width, to * COLUMNS) - first;
          float[] row = scratch.floats(ROW, count);
          float[] sum = scratch.floats(SUM, count);
          for (int r = 0; r < rows; r++) {
            int token = tokens.getInt(r);
            dOut.get(r, first, count, row, 0);
            dTable.get(token, first, count, sum, 0);
            Vectors.add(sum, row, count);
            dTable.put(token, first, count, sum, 0);
          }
        });
  }

  /**
   * {@code dBias += sum of the rows of dOut}.
   *
   * @param dBias [width]
   * @param dOut [rows, width]
   */
  void addBias(CpuTensor dBias, CpuTensor dOut) {
    int rows = (int) dOut.rows();
    int width = (int) dOut.width();
    int parts = (rows - 1) / PART + 1;
    Segment sums = workspace.take((long) parts * width, "sums of a bias' gradient");
    pool.parallelFor(
        parts,
        Work.grain(pool, parts, (long) PART * width),
        (from, to, scratch) -> {
          float[] row = scratch.floats(ROW, width);
          float[] sum = scratch.floats(SUM, width);
          for (int part = from; part < to; part++) {
            Arrays.fill(sum, 0, width, 0f);
            for (int r = part * PART; r < Math.min(rows, (part + 1) * PART); r++) {
              dOut.get(r, 0, width, row, 0);
              Vectors.add(sum, row, width);
            }
            sums.floats.put(part * width, sum, 0, width);
          }
        });
    addParts(pool, dBias, sums, 0, parts, width);
    workspace.give(sums);
  }

  /**
   * Adds parts to a vector, in their order.
   *
   * @param pool threads
   * @param sum [width]
   * @param parts [count, width], from {@code first} on
   * @param first element
   * @param count of parts
   * @param width of each
   */
  static void addParts(
      WorkerPool pool, CpuTensor sum, Segment parts, int first, int count, int width) {
    int pieces = (width - 1) / COLUMNS + 1;
    pool.parallelFor(
        pieces,
        Work.grain(pool, pieces, (long) count * COLUMNS),
        (from, to, scratch) -> {
          int column = from * COLUMNS;
          int size = Math.min(width, to * COLUMNS) - column;
          float[] part = scratch.floats(ROW, size);
          float[] total = scratch.floats(SUM, size);
          Arrays.fill(total, 0, size, 0f);
          for (int i = 0; i < count; i++) {
            parts.floats.get(first + i * width + column, part, 0, size);
            Vectors.add(total, part, size);
          }
          sum.get(0, column, size, part, 0);
          Vectors.add(total, part, size);
          sum.put(0, column, size, total, 0);
        });
  }
}
