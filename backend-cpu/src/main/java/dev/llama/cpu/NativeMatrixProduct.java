package dev.llama.cpu;

import dev.llama.BackendException;
import dev.llama.DType;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;

/**
 * Products by the kernels in C, which read weights as they are stored. For quantised weights the
 * activations are first rounded to int8 in groups of 32. Products of many rows may be left to
 * another way that is faster there.
 */
final class NativeMatrixProduct implements MatrixProduct {
  private static final int ALIGNMENT = 64;

  private final WorkerPool pool;
  private final MatrixProduct many;
  private final ArrayDeque<ByteBuffer> spare = new ArrayDeque<>();

  /**
   * Puts it together. The library must be loaded.
   *
   * @param pool threads
   * @param many multiplies many rows; null if the kernels do
   */
  NativeMatrixProduct(WorkerPool pool, MatrixProduct many) {
    this.pool = pool;
    this.many = many;
  }

  /**
   * Returns from how many rows on the other way is faster. Measured with OpenBLAS, which has to
   * decode all weights but F32 first.
   */
  private static int manyRows(DType weight) {
    return weight == DType.F32 ? 24 : 192;
  }

  @Override
  public void multiply(CpuTensor out, CpuTensor x, CpuTensor weight, boolean add) {
    if (many != null && x.rows() >= manyRows(weight.type())) {
      many.multiply(out, x, weight, add);
      return;
    }
    if (weight.type().isQuantized()) {
      multiplyQuantized(out, x, weight, add ? 1 : 0);
    } else {
      multiplyPlain(out, x, weight, add ? 1 : 0);
    }
    // The addresses of their memory were in use.
    Reference.reachabilityFence(out);
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(weight);
  }

  private int grain(CpuTensor x, CpuTensor weight) {
    return Work.grain(pool, (int) weight.rows(), x.width() * x.rows());
  }

  private void multiplyPlain(CpuTensor out, CpuTensor x, CpuTensor weight, long add) {
    pool.parallelFor(
        (int) weight.rows(),
        grain(x, weight),
        (from, to, scratch) -> {
          for (int o = from, outputs; o < to; o += outputs) {
            outputs = (int) Math.min(to - o, weight.rowsInSegment(o));
            long w = address(weight, o);
            for (long r = 0, rows; r < x.rows(); r += rows) {
              rows = Math.min(x.rowsInSegment(r), out.rowsInSegment(r));
              NativeKernels.product(
                  NativeKernels.format(weight.type()),
                  address(out, r) + 4L * o,
                  out.width(),
                  address(x, r),
                  x.width(),
                  rows,
                  w,
                  x.width(),
                  outputs,
                  add);
            }
          }
        });
  }

  private void multiplyQuantized(CpuTensor out, CpuTensor x, CpuTensor weight, long add) {
    int rowBytes = NativeKernels.quantizedBytes(x.width());
    ByteBuffer rounded = take(Math.multiplyExact(rowBytes, (int) x.rows()));
    long inputs = NativeLibrary.address(rounded);
    pool.parallelFor(
        (int) x.rows(),
        Work.grain(pool, (int) x.rows(), x.width()),
        (from, to, scratch) -> {
          for (int r = from; r < to; r++) {
            NativeKernels.quantize(
                inputs + (long) r * rowBytes, address(x, r), x.width(), 1, x.width());
          }
        });
    pool.parallelFor(
        (int) weight.rows(),
        grain(x, weight),
        (from, to, scratch) -> {
          for (int o = from, outputs; o < to; o += outputs) {
            outputs = (int) Math.min(to - o, weight.rowsInSegment(o));
            long w = address(weight, o);
            for (long r = 0, rows; r < x.rows(); r += rows) {
              rows = out.rowsInSegment(r);
              NativeKernels.productQuantized(
                  NativeKernels.format(weight.type()),
                  address(out, r) + 4L * o,
                  out.width(),
                  inputs + r * rowBytes,
                  rows,
                  w,
                  x.width(),
                  outputs,
                  add);
            }
          }
        });
    give(rounded);
  }

  private static long address(CpuTensor tensor, long row) {
    return NativeLibrary.address(tensor.segment(row)) + tensor.offset(row);
  }

  /**
   * Returns memory for rounded activations: a thread's scratch will not do, all threads read it.
   */
  private ByteBuffer take(int bytes) {
    ByteBuffer buffer;
    synchronized (spare) {
      buffer = spare.poll();
    }
    if (buffer != null && buffer.capacity() >= bytes) {
      return buffer;
    }
    try {
      return ByteBuffer.allocateDirect(Math.addExact(bytes, ALIGNMENT)).alignedSlice(ALIGNMENT);
    } catch (OutOfMemoryError | ArithmeticException e) {
      throw new BackendException(
          "no memory for "
              + bytes
              + " bytes of rounded activations ("
              + e.getMessage()
              + "); allow more with -XX:MaxDirectMemorySize, or use smaller prefill chunks",
          e);
    }
  }

  private void give(ByteBuffer buffer) {
    synchronized (spare) {
      spare.push(buffer);
    }
  }
}
