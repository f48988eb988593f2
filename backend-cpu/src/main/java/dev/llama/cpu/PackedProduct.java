package dev.llama.cpu;

import static dev.llama.cpu.NativeLibrary.address;

import dev.llama.BackendException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Products of many rows by the kernels in C that unpack weights: the rows are first brought into
 * the form that the CPU's byte or matrix instructions take, once for all products of the same x.
 */
final class PackedProduct {
  /** Rows that are packed at a time: with a block of inputs, they fill half a cache. */
  private static final int MAX_ROWS = 512;

  /** Outputs that the kernels unpack at a time, and the least that is worth a hand-over. */
  private static final int MAX_OUTPUTS = 256;

  private static final int MIN_OUTPUTS = 32;
  private static final int ALIGNMENT = 64;
  private static final int SCRATCH = 0;

  private final WorkerPool pool;
  private final AtomicReference<ByteBuffer> spare = new AtomicReference<>();

  /**
   * Puts it together. The library must be loaded.
   *
   * @param pool threads
   */
  PackedProduct(WorkerPool pool) {
    this.pool = pool;
  }

  /**
   * Computes {@code outs[i] (=|+=) x · weights[i]ᵀ} for every i.
   *
   * @param outs F32 [rows, outputs of i]
   * @param x F32 [rows, inputs]
   * @param weights [outputs of i, inputs]: all quantised, or none
   * @param add whether to add to what is there
   */
  void multiply(CpuTensor[] outs, CpuTensor x, CpuTensor[] weights, boolean add) {
    ByteBuffer packed = take(NativeKernels.packedBytes(Math.min(MAX_ROWS, x.rows()), x.width()));
    int format = NativeKernels.format(weights[0].type());
    for (long row = 0; row < x.rows(); ) {
      int rows = (int) Math.min(MAX_ROWS, x.rowsInSegment(row));
      for (CpuTensor out : outs) {
        rows = (int) Math.min(rows, out.rowsInSegment(row));
      }
      pack(address(packed), x, row, rows, format);
      for (int i = 0; i < outs.length; i++) {
        multiply(outs[i], address(packed), row, rows, weights[i], add ? 1 : 0);
      }
      row += rows;
    }
    spare.set(packed);
    // The addresses of their memory were in use.
    Reference.reachabilityFence(outs);
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(weights);
  }

  private void pack(long packed, CpuTensor x, long first, int rows, int format) {
    int unit = NativeKernels.PACKED_ROWS;
    int units = (rows - 1) / unit + 1;
    pool.parallelFor(
        units,
        Work.grain(pool, units, unit * x.width()),
        (from, to, scratch) -> {
          int begin = from * unit;
          int count = Math.min(rows, to * unit) - begin;
          long start = address(x, first + begin);
          NativeKernels.pack(format, packed, begin, start, x.width(), count, x.width());
        });
  }

  private void multiply(
      CpuTensor out, long packed, long first, int rows, CpuTensor weight, long add) {
    int format = NativeKernels.format(weight.type());
    int fair = (int) (weight.rows() / (2L * pool.threads()));
    int grain = Math.max(MIN_OUTPUTS, Math.min(MAX_OUTPUTS, fair / MIN_OUTPUTS * MIN_OUTPUTS));
    pool.parallelFor(
        (int) weight.rows(),
        grain,
        (from, to, scratch) -> {
          long space = address(scratch.direct(SCRATCH, NativeKernels.SCRATCH_BYTES));
          for (int o = from, outputs; o < to; o += outputs) {
            outputs = (int) Math.min(to - o, weight.rowsInSegment(o));
            long begin = address(out, first) + (long) Float.BYTES * o;
            NativeKernels.productMany(
                format,
                begin,
                out.width(),
                packed,
                rows,
                address(weight, o),
                weight.width(),
                outputs,
                add,
                space);
          }
        });
  }

  /** Returns memory for packed rows: a thread's scratch will not do, all threads read it. */
  private ByteBuffer take(int bytes) {
    ByteBuffer buffer = spare.getAndSet(null);
    if (buffer != null && buffer.capacity() >= bytes) {
      return buffer;
    }
    try {
      return ByteBuffer.allocateDirect(Math.addExact(bytes, ALIGNMENT)).alignedSlice(ALIGNMENT);
    } catch (OutOfMemoryError | ArithmeticException e) {
      throw new BackendException(
          "no memory for "
              + bytes
              + " bytes of packed activations ("
              + e.getMessage()
              + "); allow more with -XX:MaxDirectMemorySize, or use smaller prefill chunks",
          e);
    }
  }
}
