package dev.llama.cpu;

import static dev.llama.cpu.NativeLibrary.address;

import dev.llama.DType;
import java.lang.ref.Reference;

/**
 * Products of F32 matrices with many rows, and their gradients, by the kernels in C. Other types,
 * few rows, and matrices that do not lie in one piece are left to other ways.
 *
 * <p>However the work is cut, an element of a result is the same sum in the same order.
 */
final class NativeLargeProduct implements MatrixProduct, GradProduct {
  /** Rows from which on copying the weights pays. */
  static final int MANY = 64;

  private static final int PANEL = NativeKernels.PANEL;
  private static final int ROWS = 256; // of a at a time; measured
  private static final int DEEP_ROWS = 192; // of the gradient of weights; measured
  private static final int DEEP_COLUMNS = 384;
  private static final int STRETCH = 384; // depth to whose multiples it may be cut
  private static final long PACKED = 32L << 20; // bytes of packed weights

  private static final int WORK = 7; // slot of scratch

  private final WorkerPool pool;
  private final MatrixProduct other;
  private final GradProduct otherGradient;
  private final Workspace workspace = new Workspace();

  /**
   * Puts it together. The library must be loaded.
   *
   * @param pool threads
   * @param other multiplies in the other cases
   */
  NativeLargeProduct(WorkerPool pool, MatrixProduct other) {
    this.pool = pool;
    this.other = other;
    otherGradient = new JavaGradProduct(pool);
  }

  private static boolean suits(CpuTensor x, CpuTensor matrix) {
    return x.rows() >= MANY
        && matrix.type() == DType.F32
        && matrix.rowsInSegment(0) == matrix.rows();
  }

  @Override
  public void multiply(CpuTensor out, CpuTensor x, CpuTensor weight, boolean add) {
    if (!suits(x, weight)) {
      other.multiply(out, x, weight, add);
      return;
    }
    int inputs = (int) weight.width();
    int outputs = (int) weight.rows();
    int slab = (int) Math.max(1, PACKED / NativeKernels.panelBytes(inputs)) * PANEL;
    for (int o = 0; o < outputs; o += slab) {
      int count = Math.min(slab, outputs - o);
      Segment packed = pack(address(weight, o), 1, inputs, inputs, count);
      multiply(out, o, x, 0, packed, inputs, count, add);
      workspace.give(packed);
    }
    Reference.reachabilityFence(weight); // the address of its memory was in use
  }

  @Override
  public void multiplyAll(CpuTensor[] outs, CpuTensor x, CpuTensor[] weights) {
    for (CpuTensor weight : weights) {
      if (suits(x, weight)) {
        MatrixProduct.super.multiplyAll(outs, x, weights);
        return;
      }
    }
    other.multiplyAll(outs, x, weights);
  }

  @Override
  public void inputs(CpuTensor dX, CpuTensor dOut, CpuTensor weight, boolean add) {
    if (!suits(dOut, weight)) {
      otherGradient.inputs(dX, dOut, weight, add);
      return;
    }
    int inputs = (int) weight.width();
    int outputs = (int) weight.rows();
    long bytes = NativeKernels.panelBytes(STRETCH) * ((inputs - 1) / PANEL + 1);
    int slab = (int) Math.max(1, PACKED / bytes) * STRETCH;
    for (int o = 0; o < outputs; o += slab) {
      int count = Math.min(slab, outputs - o);
      Segment packed = pack(address(weight, o), inputs, 1, count, inputs);
      multiply(dX, 0, dOut, o, packed, count, inputs, add || o > 0);
      workspace.give(packed);
    }
    Reference.reachabilityFence(weight); // the address of its memory was in use
  }

  /** Copies a matrix to panels, all threads together. */
  private Segment pack(long matrix, long row, long column, int depth, int columns) {
    int panels = (columns - 1) / PANEL + 1;
    long bytes = NativeKernels.panelBytes(depth);
    Segment packed = workspace.take(panels * bytes / 4, "packed weights");
    long to = address(packed);
    pool.parallelFor(
        panels,
        Work.grain(pool, panels, (long) PANEL * depth),
        (from, end, scratch) ->
            NativeKernels.gradPack(
                to + from * bytes,
                matrix + 4L * from * PANEL * column,
                row,
                column,
                depth,
                Math.min(columns, end * PANEL) - from * PANEL));
    return packed;
  }

  /** Multiplies columns of a, {@code depth} from the first on, with what was packed. */
  private void multiply(
      CpuTensor c,
      int firstColumn,
      CpuTensor a,
      int firstDepth,
      Segment packed,
      int depth,
      int columns,
      boolean add) {
    int rows = (int) a.rows();
    int height = Math.max(PANEL, Math.min(ROWS, roundUp(rows / (4 * pool.threads()))));
    int down = (rows - 1) / height + 1;
    // Few rows for many threads: cut the columns as well.
    int across = Math.max(1, Math.min((columns - 1) / PANEL + 1, 4 * pool.threads() / down));
    int width = roundUp((columns - 1) / across + 1);
    long b = address(packed);
    pool.parallelFor(
        down * across,
        1,
        (from, to, scratch) -> {
          int bytes = (height + NativeKernels.PRODUCT_SPARE) * NativeKernels.PRODUCT_SCRATCH;
          long work = address(scratch.direct(WORK, bytes));
          for (int i = from; i < to; i++) {
            int column = i % across * width;
            int end = Math.min(rows, (i / across + 1) * height);
            for (int r = i / across * height, count; r < end && column < columns; r += count) {
              count = (int) Math.min(end - r, Math.min(a.rowsInSegment(r), c.rowsInSegment(r)));
              NativeKernels.gradProduct(
                  address(c, r) + 4L * (firstColumn + column),
                  c.width(),
                  address(a, r) + 4L * firstDepth,
                  a.width(),
                  1,
                  b + column / PANEL * NativeKernels.panelBytes(depth),
                  count,
                  depth,
                  Math.min(width, columns - column),
                  add ? 1 : 0,
                  work);
            }
          }
        });
    Reference.reachabilityFence(c); // the addresses of their memory were in use
    Reference.reachabilityFence(a);
  }

  private static int roundUp(int count) {
    return (count + PANEL - 1) / PANEL * PANEL;
  }

  @Override
  public void weights(CpuTensor dWeight, CpuTensor dOut, CpuTensor x) {
    if (!suits(dOut, dWeight)) {
      otherGradient.weights(dWeight, dOut, x);
      return;
    }
    int outputs = (int) dWeight.rows();
    int inputs = (int) dWeight.width();
    int across = (inputs - 1) / DEEP_COLUMNS + 1;
    int fair = roundUp(outputs * across / (2 * pool.threads()));
    int height = Math.max(PANEL, Math.min(DEEP_ROWS, fair));
    int down = (outputs - 1) / height + 1;
    pool.parallelFor(
        down * across,
        1,
        (from, to, scratch) -> {
          int lines = height + DEEP_COLUMNS + NativeKernels.PRODUCT_SPARE;
          long work = address(scratch.direct(WORK, lines * NativeKernels.PRODUCT_SCRATCH));
          for (int i = from; i < to; i++) {
            int o = i / across * height;
            int column = i % across * DEEP_COLUMNS;
            for (int r = 0, count; r < dOut.rows(); r += count) {
              count = (int) Math.min(dOut.rowsInSegment(r), x.rowsInSegment(r));
              NativeKernels.gradProductDeep(
                  address(dWeight, o) + 4L * column,
                  inputs,
                  address(dOut, r) + 4L * o,
                  outputs,
                  address(x, r) + 4L * column,
                  inputs,
                  Math.min(height, outputs - o),
                  count,
                  Math.min(DEEP_COLUMNS, inputs - column),
                  work);
            }
          }
        });
    Reference.reachabilityFence(dWeight); // the addresses of their memory were in use
    Reference.reachabilityFence(dOut);
    Reference.reachabilityFence(x);
  }
}
