package dev.llama.cpu;

import dev.llama.BackendException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.OptionalDouble;

/** How fast the threads read memory, in large pages if there are any. */
final class ReadBandwidth {
  private static final long MOST = 1 << 30; // more than caches hold
  private static final long LEAST = 1 << 16; // of less, the threads would do nothing but meet
  private static final int LEAST_PER_PASS = 64 << 20; // of less, the time would be too short
  private static final int PART = 1 << 20;
  private static final int UNIT = 256; // that the kernel reads
  private static final int PASSES = 9;

  private ReadBandwidth() {}

  /**
   * Measures it: the median of some passes.
   *
   * @param pool threads, all of which read
   * @param bytes that are read again and again, at least 1
   * @return bytes per second; empty without native kernels or memory
   */
  static OptionalDouble measure(WorkerPool pool, long bytes) {
    int size = (int) (Math.min(MOST, Math.max(LEAST, bytes)) / UNIT * UNIT);
    ByteBuffer memory;
    try {
      NativeLibrary.load();
      memory = new LargePages().allocate(size);
    } catch (BackendException | OutOfMemoryError e) {
      return OptionalDouble.empty();
    }
    // An operating system may give one page of zeros for all that was never written.
    for (int i = 0; i < size; i += 4096) {
      memory.put(i, (byte) 1);
    }
    int times = Math.max(1, LEAST_PER_PASS / size);
    double[] speeds = new double[PASSES];
    for (int i = 0; i < PASSES; i++) {
      long before = System.nanoTime();
      for (int j = 0; j < times; j++) {
        read(pool, NativeLibrary.address(memory), size);
      }
      speeds[i] = (double) size * times / ((System.nanoTime() - before) / 1e9);
    }
    memory.put(0, (byte) 0); // still in use up to here
    Arrays.sort(speeds);
    return OptionalDouble.of(speeds[PASSES / 2]);
  }

  private static void read(WorkerPool pool, long start, int size) {
    int part = Math.min(PART, Math.max(UNIT, size / (8 * pool.threads()) / UNIT * UNIT));
    pool.parallelFor(
        (size - 1) / part + 1,
        1,
        (from, to, scratch) -> {
          long result = NativeLibrary.address(scratch.direct(0, 64));
          long first = (long) from * part;
          long end = Math.min(size, (long) to * part);
          NativeKernels.read(result, start + first, end - first);
        });
  }
}
