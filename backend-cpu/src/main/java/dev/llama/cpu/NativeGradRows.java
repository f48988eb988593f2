package dev.llama.cpu;

import static dev.llama.cpu.NativeLibrary.address;

import java.lang.ref.Reference;
import java.nio.ByteBuffer;

/** By the kernels in C. The library must be loaded. */
final class NativeGradRows implements GradRows {
  private static final int PART = RowGradients.PART;
  private static final int ELEMENTS = 1 << 14; // of a part, where rows are short
  private static final int NUMBERS = 0; // slot of scratch

  private static final int NORM_COST = 2; // of an element, in multiply-adds
  private static final int ELEMENT_COST = 6;

  private final WorkerPool pool;
  private final Workspace workspace;

  NativeGradRows(WorkerPool pool, Workspace workspace) {
    this.pool = pool;
    this.workspace = workspace;
  }

  private static long vector(CpuTensor tensor, long element) {
    return address(tensor, 0) + 4 * element;
  }

  /** Rows from {@code first} on that lie side by side in each of some tensors. */
  private interface Stretch {
    void run(int first, int count, Scratch scratch);
  }

  /**
   * Runs over rows, in parts that depend on the shape alone.
   *
   * @param rows of a part
   * @param cost of an element
   * @param stretch runs them
   * @param tensors of the same shape
   */
  private void run(int rows, int cost, Stretch stretch, CpuTensor... tensors) {
    int all = (int) tensors[0].rows();
    int parts = (all - 1) / rows + 1;
    pool.parallelFor(
        parts,
        Work.grain(pool, parts, cost * tensors[0].width() * Math.min(rows, all)),
        (from, to, scratch) -> {
          for (int part = from; part < to; part++) {
            int end = Math.min(all, (part + 1) * rows);
            for (int r = part * rows, count; r < end; r += count) {
              count = end - r;
              for (CpuTensor tensor : tensors) {
                count = (int) Math.min(count, tensor.rowsInSegment(r));
              }
              stretch.run(r, count, scratch);
            }
          }
        });
    Reference.reachabilityFence(tensors); // the addresses of their memory were in use
  }

  private static int rowsOfPart(CpuTensor tensor) {
    return (int) Math.max(1, ELEMENTS / tensor.width());
  }

  @Override
  public void rmsNorm(
      CpuTensor dX,
      CpuTensor dWeight,
      CpuTensor dOut,
      CpuTensor x,
      CpuTensor weight,
      CpuTensor rstd) {
    int width = (int) x.width();
    // A stretch that ends before its part does has a sum of its own, at its first row.
    int rows = (int) x.rows();
    int parts = (rows - 1) / PART + 1;
    Segment sums = workspace.take((long) parts * width, "sums of a norm's gradient");
    long address = address(sums);
    run(
        PART,
        NORM_COST,
        (first, count, scratch) -> {
          boolean begins = first % PART == 0;
          ByteBuffer extra = begins ? null : scratch.direct(NUMBERS, 4 * width);
          long sum = address + 4L * (first / PART) * width;
          NativeKernels.rmsNormGradient(
              address(dX, first),
              begins ? sum : address(extra),
              address(dOut, first),
              address(x, first),
              vector(weight, 0),
              vector(rstd, first),
              count,
              width);
          for (int i = 0; !begins && i < width; i++) {
            int at = first / PART * width + i;
            sums.floats.put(at, sums.floats.get(at) + extra.getFloat(4 * i));
          }
        },
        x,
        dX,
        dOut);
    RowGradients.addParts(pool, dWeight, sums, 0, parts, width);
    workspace.give(sums);
    Reference.reachabilityFence(weight); // the addresses of their memory were in use
    Reference.reachabilityFence(rstd);
  }

  @Override
  public void swiGlu(CpuTensor dGate, CpuTensor dUp, CpuTensor dOut, CpuTensor gate, CpuTensor up) {
    run(
        rowsOfPart(gate),
        ELEMENT_COST,
        (first, count, scratch) ->
            NativeKernels.swiGluGradient(
                address(dGate, first),
                address(dUp, first),
                address(dOut, first),
                address(gate, first),
                address(up, first),
                count * gate.width()),
        gate,
        dGate,
        dUp,
        dOut,
        up);
  }

  @Override
  public void crossEntropy(
      CpuTensor loss, CpuTensor dLogits, CpuTensor logits, CpuTensor targets, CpuTensor scale) {
    Loss.requireTargets(targets, (int) logits.rows(), (int) logits.width());
    float[] factor = new float[1];
    scale.get(0, 0, 1, factor, 0);
    run(
        rowsOfPart(logits),
        ELEMENT_COST,
        (first, count, scratch) ->
            NativeKernels.crossEntropy(
                vector(loss, first),
                dLogits == null ? 0 : address(dLogits, first),
                address(logits, first),
                vector(targets, first),
                factor[0],
                count,
                logits.width()),
        logits,
        dLogits == null ? logits : dLogits);
    Reference.reachabilityFence(loss); // the addresses of their memory were in use
    Reference.reachabilityFence(targets);
  }

  @Override
  public void sumOfSquares(CpuTensor sum, CpuTensor x) {
    double[] parts = new double[(int) x.rows()];
    run(
        rowsOfPart(x),
        1,
        (first, count, scratch) -> {
          ByteBuffer result = scratch.direct(NUMBERS, Double.BYTES);
          NativeKernels.sumOfSquares(address(result), address(x, first), count * x.width());
          parts[first] = result.getDouble(0);
        },
        x);
    double total = 0;
    for (double part : parts) {
      total += part;
    }
    float[] old = new float[1];
    sum.get(0, 0, 1, old, 0);
    sum.putFloat(0, 0, (float) (old[0] + total));
  }

  @Override
  public void adamW(
      CpuTensor weight,
      CpuTensor m,
      CpuTensor v,
      CpuTensor gradient,
      CpuTensor step,
      Optimizer.Constants constants) {
    float[] now = new float[4];
    step.get(0, 0, 4, now, 0);
    run(
        rowsOfPart(weight),
        ELEMENT_COST,
        (first, count, scratch) ->
            NativeKernels.adamW(
                address(weight, first),
                address(m, first),
                address(v, first),
                address(gradient, first),
                numbers(now, constants, scratch),
                count * weight.width()),
        weight,
        m,
        v,
        gradient);
  }

  private static long numbers(float[] step, Optimizer.Constants c, Scratch scratch) {
    ByteBuffer numbers = scratch.direct(NUMBERS, 9 * Float.BYTES);
    numbers.clear();
    numbers.putFloat(c.beta1).putFloat(c.oneMinusBeta1());
    numbers.putFloat(c.beta2).putFloat(c.oneMinusBeta2());
    numbers.putFloat(c.eps).putFloat(1f - step[0] * c.decay);
    numbers.putFloat(step[0] / step[1]).putFloat(1f / step[2]).putFloat(step[3]);
    return address(numbers);
  }
}
