package dev.llama.cpu;

import dev.llama.InvalidInputException;
import java.util.concurrent.atomic.AtomicReference;

/** Selection of rows, and of the largest element of rows. */
final class Rows {
  private static final int ROW = 1;

  private final WorkerPool pool;
  private final AtomicReference<Selection> spare = new AtomicReference<>();

  Rows(WorkerPool pool) {
    this.pool = pool;
  }

  /**
   * Copies rows, decoded.
   *
   * @param out F32 [rows, width]
   * @param table [n, width]
   * @param indices I32 [rows]
   */
  void select(CpuTensor out, CpuTensor table, CpuTensor indices) {
    int rows = (int) out.rows();
    int width = (int) out.width();
    checkIndices(out, table, indices);
    Selection selection = spare.getAndSet(null);
    if (selection == null) {
      selection = new Selection();
    }
    try {
      selection.set(out, table, indices);
      pool.parallelFor(rows, Work.grain(pool, rows, width), selection);
    } finally {
      selection.set(null, null, null); // they may be closed and collected
      spare.set(selection);
    }
  }

  /** One call. Used again, so that calls allocate nothing. */
  private static final class Selection implements WorkerPool.Task {
    private CpuTensor out;
    private CpuTensor table;
    private CpuTensor indices;

    void set(CpuTensor newOut, CpuTensor newTable, CpuTensor newIndices) {
      out = newOut;
      table = newTable;
      indices = newIndices;
    }

    @Override
    public void run(int from, int to, Scratch scratch) {
      Codec codec = Codec.of(table.type());
      int width = (int) out.width();
      float[] row = scratch.floats(ROW, width);
      for (int r = from; r < to; r++) {
        int index = indices.getInt(r);
        codec.decode(table.segment(index), table.offset(index), width, row, 0, scratch);
        out.put(r, 0, width, row, 0);
      }
    }
  }

  /** Refuses what is not a row of the table. */
  static void checkIndices(CpuTensor out, CpuTensor table, CpuTensor indices) {
    for (int r = 0; r < out.rows(); r++) {
      int index = indices.getInt(r);
      if (index < 0 || index >= table.rows()) {
        throw new InvalidInputException(
            "embed: index " + index + " in row " + r + " is not in [0, " + table.rows() + ")");
      }
    }
  }

  /**
   * Finds the first of the largest elements of each row.
   *
   * @param out I32 [rows]
   * @param x F32 [rows, width]
   */
  void argmax(CpuTensor out, CpuTensor x) {
    int rows = (int) x.rows();
    int width = (int) x.width();
    pool.parallelFor(
        rows,
        Work.grain(pool, rows, width),
        (from, to, scratch) -> {
          float[] row = scratch.floats(ROW, width);
          for (int r = from; r < to; r++) {
            x.get(r, 0, width, row, 0);
            out.putInt(r, largest(row, width));
          }
        });
  }

  private static int largest(float[] row, int count) {
    int best = 0;
    for (int i = 1; i < count; i++) {
      if (row[i] > row[best]) {
        best = i;
      }
    }
    return best;
  }
}
