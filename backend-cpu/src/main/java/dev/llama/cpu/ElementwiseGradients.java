package dev.llama.cpu;

/** Gradients of operations on each element by itself. */
final class ElementwiseGradients {
  private static final int BLOCK = Scratch.BITS;
  private static final int FIRST = 1;
  private static final int SECOND = 2;
  private static final int THIRD = 3;
  private static final int FOURTH = 4;

  private static final int SWIGLU_COST = 12; // in multiply-adds
  private static final int GELU_COST = 60;
  private static final double INVERSE_ROOT_2PI = 0.39894228040143267794;

  /** Computes a block of one row. */
  private interface Kernel {
    void run(int row, int column, int count, Scratch scratch);
  }

  private final WorkerPool pool;

  ElementwiseGradients(WorkerPool pool) {
    this.pool = pool;
  }

  private void run(CpuTensor shape, int cost, Kernel kernel) {
    int width = (int) shape.width();
    int blocks = (width - 1) / BLOCK + 1;
    int count = Math.multiplyExact((int) shape.rows(), blocks);
    pool.parallelFor(
        count,
        Work.grain(pool, count, (long) cost * Math.min(width, BLOCK)),
        (from, to, scratch) -> {
          for (int i = from; i < to; i++) {
            int column = i % blocks * BLOCK;
            kernel.run(i / blocks, column, Math.min(BLOCK, width - column), scratch);
          }
        });
  }

  /**
   * With s = sigmoid(gate): {@code dGate = dOut * up * s * (1 + gate * (1 - s))}, {@code dUp = dOut
   * * gate * s}.
   *
   * @param dGate [rows, width]; may be dOut
   * @param dUp [rows, width]
   * @param dOut [rows, width]
   * @param gate [rows, width]
   * @param up [rows, width]
   */
  void swiGlu(CpuTensor dGate, CpuTensor dUp, CpuTensor dOut, CpuTensor gate, CpuTensor up) {
    run(
        gate,
        SWIGLU_COST,
        (row, column, count, scratch) -> {
          float[] gates = scratch.floats(FIRST, count);
          float[] ups = scratch.floats(SECOND, count);
          float[] gradient = scratch.floats(THIRD, count);
          float[] sigmoids = scratch.floats(FOURTH, count);
          gate.get(row, column, count, gates, 0);
          up.get(row, column, count, ups, 0);
          dOut.get(row, column, count, gradient, 0);
          for (int i = 0; i < count; i++) {
            sigmoids[i] = -gates[i];
          }
          Functions.exp(sigmoids, count, scratch);
          for (int i = 0; i < count; i++) {
            sigmoids[i] = 1f / (1f + sigmoids[i]);
          }
          for (int i = 0; i < count; i++) {
            float slope = sigmoids[i] * (1f + gates[i] * (1f - sigmoids[i]));
            ups[i] *= gradient[i] * slope;
            gradient[i] *= gates[i] * sigmoids[i];
          }
          dGate.put(row, column, count, ups, 0);
          dUp.put(row, column, count, gradient, 0);
        });
  }

  /**
   * With the standard normal distribution: {@code dX = dOut * (cdf(x) + x * pdf(x))}.
   *
   * @param dX [rows, width]; may be dOut
   * @param dOut [rows, width]
   * @param x [rows, width]
   */
  void gelu(CpuTensor dX, CpuTensor dOut, CpuTensor x) {
    run(
        x,
        GELU_COST,
        (row, column, count, scratch) -> {
          float[] in = scratch.floats(FIRST, count);
          float[] gradient = scratch.floats(SECOND, count);
          x.get(row, column, count, in, 0);
          dOut.get(row, column, count, gradient, 0);
          for (int i = 0; i < count; i++) {
            double t = in[i];
            double cdf = 0.5 * Functions.erfc(-t * 0.70710678118654752440);
            double pdf = INVERSE_ROOT_2PI * Math.exp(-0.5 * t * t);
            gradient[i] *= (float) (cdf + t * pdf);
          }
          dX.put(row, column, count, gradient, 0);
        });
  }
}
