package dev.llama.cpu;

import static dev.llama.cpu.NativeLibrary.address;

import dev.llama.BackendException;
import dev.llama.DType;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Products by the kernels in C, which read weights as they are stored. For quantised weights the
 * activations are first rounded to int8 in groups of 32, or to BF16 if a matrix unit multiplies
 * many rows. Products of many rows may be left to another way where the CPU has no instructions for
 * them.
 */
final class NativeMatrixProduct implements MatrixProduct {
  private static final int ALIGNMENT = 64;

  /** Rows from which on it pays to unpack weights first. Measured. */
  private static final int PACKED_ROWS = 24;

  private final NativeLibrary library;
  private final WorkerPool pool;
  private final PackedProduct packed;
  private final BlasOnDemand many;
  private final AtomicReference<Job> spare = new AtomicReference<>();

  /**
   * Puts it together.
   *
   * @param library the kernels
   * @param pool threads
   * @param many multiplies many rows where the kernels are slow; null if they do nevertheless
   */
  NativeMatrixProduct(NativeLibrary library, WorkerPool pool, BlasOnDemand many) {
    this.library = library;
    this.pool = pool;
    this.many = many;
    packed = new PackedProduct(pool);
  }

  /**
   * Returns from how many rows on the other way is faster. Measured with OpenBLAS, which has to
   * decode all weights but F32 first.
   */
  private static int manyRows(DType weight) {
    return weight == DType.F32 ? 24 : 192;
  }

  private boolean leaves(CpuTensor x, CpuTensor weight) {
    return many != null
        && x.rows() >= manyRows(weight.type())
        && !library.level().unpacks(weight.type());
  }

  private boolean unpacksAll(CpuTensor[] weights) {
    for (CpuTensor weight : weights) {
      if (!library.level().unpacks(weight.type())
          || weight.type().isQuantized() != weights[0].type().isQuantized()) {
        return false;
      }
    }
    return true;
  }

  @Override
  public void multiply(CpuTensor out, CpuTensor x, CpuTensor weight, boolean add) {
    if (x.rows() >= PACKED_ROWS && library.level().unpacks(weight.type())) {
      packed.multiply(new CpuTensor[] {out}, x, new CpuTensor[] {weight}, add);
      return;
    }
    MatrixProduct other = leaves(x, weight) ? many.productOrNull() : null;
    if (other != null) {
      other.multiply(out, x, weight, add);
      return;
    }
    Job job = take();
    try {
      job.set(x, add);
      job.append(out, weight);
      job.run(pool);
    } finally {
      give(job);
    }
  }

  @Override
  public void multiplyAll(CpuTensor[] outs, CpuTensor x, CpuTensor[] weights) {
    if (x.rows() >= PACKED_ROWS) {
      if (unpacksAll(weights)) {
        packed.multiply(outs, x, weights, false);
      } else {
        MatrixProduct.super.multiplyAll(outs, x, weights);
      }
      return;
    }
    Job job = take();
    try {
      job.set(x, false);
      for (int i = 0; i < outs.length; i++) {
        job.append(outs[i], weights[i]);
      }
      job.run(pool);
    } finally {
      give(job);
    }
  }

  private Job take() {
    Job job = spare.getAndSet(null);
    return job == null ? new Job() : job;
  }

  private void give(Job job) {
    job.clear();
    spare.set(job);
  }

  /** Products of the same x. Used again, so that calls allocate nothing. */
  private static final class Job implements WorkerPool.Task {
    private static final int MOST = 3;
    private static final int STREAM_BYTES = 64 << 10; // of weights, a few microseconds

    private final Rounding rounding = new Rounding();
    private final CpuTensor[] outs = new CpuTensor[MOST];
    private final CpuTensor[] weights = new CpuTensor[MOST];
    private final int[] ends = new int[MOST]; // of the rows of weights, counted through
    private int count;
    private CpuTensor x;
    private long add;
    private boolean rounded;

    void set(CpuTensor newX, boolean adds) {
      x = newX;
      add = adds ? 1 : 0;
      count = 0;
      rounded = false;
    }

    void append(CpuTensor out, CpuTensor weight) {
      outs[count] = out;
      weights[count] = weight;
      ends[count] = Math.addExact(count == 0 ? 0 : ends[count - 1], (int) weight.rows());
      rounded |= weight.type().isQuantized();
      count++;
    }

    void run(WorkerPool pool) {
      if (count == 0) {
        return;
      }
      if (rounded) {
        rounding.run(pool, x);
      }
      int outputs = ends[count - 1];
      int grain = Work.grain(pool, outputs, x.width() * x.rows());
      if (x.rows() == 1) {
        long least = Math.max(1, STREAM_BYTES / weights[0].rowBytes());
        pool.parallelStream(outputs, (int) Math.min(grain, least), this);
      } else {
        pool.parallelFor(outputs, grain, this);
      }
    }

    @Override
    public void run(int from, int to, Scratch scratch) {
      int begin = 0;
      for (int i = 0; i < count; i++) {
        int end = Math.min(to, ends[i]) - begin;
        for (int o = Math.max(from - begin, 0), outputs; o < end; o += outputs) {
          outputs = (int) Math.min(end - o, weights[i].rowsInSegment(o));
          multiply(outs[i], weights[i], o, outputs);
        }
        begin = ends[i];
      }
    }

    private void multiply(CpuTensor out, CpuTensor weight, int o, int outputs) {
      int format = NativeKernels.format(weight.type());
      long w = address(weight, o);
      for (long r = 0, rows; r < x.rows(); r += rows) {
        rows = out.rowsInSegment(r);
        long to = address(out, r) + 4L * o;
        if (weight.type().isQuantized()) {
          long inputs = rounding.address(r);
          NativeKernels.productQuantized(
              format, to, out.width(), inputs, rows, w, x.width(), outputs, add);
        } else {
          rows = Math.min(rows, x.rowsInSegment(r));
          long inputs = address(x, r);
          NativeKernels.product(
              format, to, out.width(), inputs, x.width(), rows, w, x.width(), outputs, add);
        }
      }
    }

    /** Forgets the tensors, which may be closed and collected. */
    void clear() {
      x = null;
      rounding.x = null;
      for (int i = 0; i < MOST; i++) {
        outs[i] = null;
        weights[i] = null;
      }
    }
  }

  /** Rounds activations: for all threads, so a thread's scratch will not do. */
  private static final class Rounding implements WorkerPool.Task {
    private ByteBuffer rounded = ByteBuffer.allocateDirect(0);
    private long start;
    private CpuTensor x;
    private int rowBytes;

    void run(WorkerPool pool, CpuTensor newX) {
      x = newX;
      rowBytes = NativeKernels.quantizedBytes(x.width());
      int rows = (int) x.rows();
      reserve((long) rowBytes * rows);
      pool.parallelFor(rows, Work.grain(pool, rows, x.width()), this);
    }

    @Override
    public void run(int from, int to, Scratch scratch) {
      for (int r = from; r < to; r++) {
        long row = NativeLibrary.address(x, r);
        NativeKernels.quantize(address(r), row, x.width(), 1, x.width());
      }
    }

    /** Returns where a row is. */
    long address(long row) {
      return start + row * rowBytes;
    }

    private void reserve(long bytes) {
      if (rounded.capacity() >= bytes) {
        return;
      }
      try {
        int size = Math.toIntExact(bytes + ALIGNMENT);
        rounded = ByteBuffer.allocateDirect(size).alignedSlice(ALIGNMENT);
        start = NativeLibrary.address(rounded);
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
  }
}
