package dev.llama.cpu;

import java.lang.ref.Reference;

/**
 * Prepares the pages of weights, before any of them is read. Large pages are asked for: reading
 * weights from small ones takes half as long again. And the operating system enters them into the
 * table of this process; otherwise it is interrupted for every few of them when the first token is
 * computed, which takes as long as that. Thread-safe.
 */
final class MappedPages {
  private static final long STEP = 16 << 20;

  /** Ten times what a step takes if its pages are in memory. If not, reading ahead is no help. */
  private static final long PATIENCE_NANOS = 20_000_000;

  private volatile boolean worthwhile = true;

  /** Prepares the pages of a tensor. */
  void prepare(CpuTensor weight) {
    for (long row = 0; row < weight.rows(); row += weight.rowsInSegment(row)) {
      long start = NativeLibrary.address(weight, row);
      long bytes = weight.rowsInSegment(row) * weight.rowBytes();
      NativeKernels.preferLargePages(start, bytes);
      enter(start, bytes);
    }
    Reference.reachabilityFence(weight); // the address of its memory was in use
  }

  /** Enters pages; stops for good where that cannot be done, or not quickly. */
  private void enter(long start, long bytes) {
    for (long at = 0; at < bytes && worthwhile; at += STEP) {
      long begin = System.nanoTime();
      worthwhile =
          NativeKernels.populate(start + at, Math.min(STEP, bytes - at)) == 0
              && System.nanoTime() - begin < PATIENCE_NANOS;
    }
  }

}
