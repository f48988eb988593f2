package dev.llama.cpu;

/**
 * Operations on each element by itself. Rows are cut, so that one long row keeps all threads busy.
 */
final class Elementwise {
  private static final int BLOCK = Scratch.BITS;
  private static final int FIRST = 1;
  private static final int SECOND = 2;
  private static final int THIRD = 3;

  private static final int EXPONENTIAL = 6; // cost, in multiply-adds
  private static final int ERROR_FUNCTION = 40;

  /** Computes a block of one row. */
  private interface Kernel {
    void run(int row, int column, int count, Scratch scratch);
  }

  private final WorkerPool pool;

  Elementwise(WorkerPool pool) {
    this.pool = pool;
  }

  private void run(CpuTensor shape, int cost, Kernel kernel) {
    int width = (int) shape.width();
    int blocks = (width + BLOCK - 1) / BLOCK;
    int count = Math.multiplyExact((int) shape.rows(), blocks);
    int grain = Work.grain(pool, count, (long) cost * Math.min(width, BLOCK));
    pool.parallelFor(
        count,
        grain,
        (from, to, scratch) -> {
          for (int i = from; i < to; i++) {
            int column = i % blocks * BLOCK;
            kernel.run(i / blocks, column, Math.min(BLOCK, width - column), scratch);
          }
        });
  }

  /** {@code x += y}. */
  void add(CpuTensor x, CpuTensor y) {
    run(
        x,
        1,
        (row, column, count, scratch) -> {
          float[] a = scratch.floats(FIRST, count);
          float[] b = scratch.floats(SECOND, count);
          x.get(row, column, count, a, 0);
          y.get(row, column, count, b, 0);
          Vectors.add(a, b, count);
          x.put(row, column, count, a, 0);
        });
  }

  /** {@code x += bias} in every row. */
  void addBias(CpuTensor x, CpuTensor bias) {
    run(
        x,
        1,
        (row, column, count, scratch) -> {
          float[] a = scratch.floats(FIRST, count);
          float[] b = scratch.floats(SECOND, count);
          x.get(row, column, count, a, 0);
          bias.get(0, column, count, b, 0);
          Vectors.add(a, b, count);
          x.put(row, column, count, a, 0);
        });
  }

  /** {@code out = silu(gate) * up}. */
  void swiGlu(CpuTensor out, CpuTensor gate, CpuTensor up) {
    run(
        out,
        EXPONENTIAL,
        (row, column, count, scratch) -> {
          float[] a = scratch.floats(FIRST, count);
          float[] b = scratch.floats(SECOND, count);
          gate.get(row, column, count, a, 0);
          up.get(row, column, count, b, 0);
          float[] e = scratch.floats(THIRD, count);
          for (int i = 0; i < count; i++) {
            e[i] = -a[i];
          }
          Functions.exp(e, count, scratch);
          for (int i = 0; i < count; i++) {
            a[i] = a[i] / (1f + e[i]) * b[i];
          }
          out.put(row, column, count, a, 0);
        });
  }

  /** {@code out = gelu(x)}. */
  void gelu(CpuTensor out, CpuTensor x) {
    run(
        out,
        ERROR_FUNCTION,
        (row, column, count, scratch) -> {
          float[] a = scratch.floats(FIRST, count);
          x.get(row, column, count, a, 0);
          for (int i = 0; i < count; i++) {
            a[i] = Functions.gelu(a[i]);
          }
          out.put(row, column, count, a, 0);
        });
  }
}
