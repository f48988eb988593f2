package dev.llama.cpu;

import java.lang.ref.Reference;

/**
 * Has the operating system enter the pages of weights into the table of this process before they
 * are read. Otherwise it is interrupted for every few of them when the first token is computed,
 * which takes as long as that. Thread-safe.
 */
final class MappedPages {
  private static final long STEP = 16 << 20;

  /** Ten times what a step takes if its pages are in memory. If not, reading ahead is no help. */
  private static final long PATIENCE_NANOS = 20_000_000;

  private volatile boolean worthwhile = true;

  /** Enters the pages of a tensor; stops for good where that cannot be done, or not quickly. */
  void enter(CpuTensor weight) {
    for (long row = 0; row < weight.rows() && worthwhile; row += weight.rowsInSegment(row)) {
      long start = NativeLibrary.address(weight, row);
      long bytes = weight.rowsInSegment(row) * weight.rowBytes();
      for (long at = 0; at < bytes && worthwhile; at += STEP) {
        long begin = System.nanoTime();
        worthwhile =
            populate(start + at, Math.min(STEP, bytes - at))
                && System.nanoTime() - begin < PATIENCE_NANOS;
      }
    }
    Reference.reachabilityFence(weight); // the address of its memory was in use
  }

  private static boolean populate(long start, long bytes) {
    try {
      return NativeKernels.populate(start, bytes) == 0;
    } catch (UnsatisfiedLinkError e) {
      return false;
    }
  }
}
