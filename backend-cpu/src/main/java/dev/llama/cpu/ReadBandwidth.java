package dev.llama.cpu;

import dev.llama.BackendException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.OptionalDouble;

/** How fast the threads read memory, measured with more of it than caches hold. */
final class ReadBandwidth {
  private static final int BYTES = 1 << 30;
  private static final int PART = 1 << 20;
  private static final int PASSES = 9;

  private ReadBandwidth() {}

  /**
   * Measures it: the median of some passes.
   *
   * @param pool threads, all of which read
   * @return bytes per second; empty without native kernels or memory
   */
  static OptionalDouble measure(WorkerPool pool) {
    ByteBuffer memory;
    try {
      NativeLibrary.load();
      memory = ByteBuffer.allocateDirect(BYTES);
    } catch (BackendException | OutOfMemoryError e) {
      return OptionalDouble.empty();
    }
    // An operating system may give one page of zeros for all that was never written.
    for (int i = 0; i < BYTES; i += 4096) {
      memory.put(i, (byte) 1);
    }
    long start = NativeLibrary.address(memory);
    NativeKernels.collapse(start, BYTES); // weights lie in large pages, at best
    double[] speeds = new double[PASSES];
    for (int i = 0; i < PASSES; i++) {
      long before = System.nanoTime();
      pool.parallelFor(
          BYTES / PART,
          1,
          (from, to, scratch) -> {
            long result = NativeLibrary.address(scratch.direct(0, 64));
            NativeKernels.read(result, start + (long) from * PART, (long) (to - from) * PART);
          });
      speeds[i] = BYTES / ((System.nanoTime() - before) / 1e9);
    }
    memory.put(0, (byte) 0); // still in use up to here
    Arrays.sort(speeds);
    return OptionalDouble.of(speeds[PASSES / 2]);
  }
}
