package dev.llama.cpu;

import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.List;

/**
 * Prepares the pages of weights, before any of them is read. Large pages are asked for: reading
 * weights from small ones takes half as long again. Then the operating system enters them into the
 * table of this process; otherwise it is interrupted for every few of them when the first token is
 * computed, which takes as long as that. Thread-safe.
 */
final class MappedPages {
  private static final long STEP = 16 << 20;

  /** Ten times what a step takes if its pages are in memory. If not, reading ahead is no help. */
  private static final long PATIENCE_NANOS = 20_000_000;

  private final List<CpuTensor> pending = new ArrayList<>();

  /**
   * Asks for large pages for a tensor. They are entered later: one that is shared with the next
   * tensor is large only once that has been asked for too.
   */
  synchronized void prepare(CpuTensor weight) {
    for (long row = 0; row < weight.rows(); row += weight.rowsInSegment(row)) {
      NativeKernels.preferLargePages(NativeLibrary.address(weight, row), bytes(weight, row));
    }
    pending.add(weight);
  }

  /** Enters the pages of all tensors; stops where that cannot be done, or not quickly. */
  synchronized void enter() {
    for (CpuTensor weight : pending) {
      if (!enter(weight)) {
        break;
      }
    }
    pending.clear();
  }

  private static boolean enter(CpuTensor weight) {
    boolean worthwhile = true;
    for (long row = 0; row < weight.rows() && worthwhile; row += weight.rowsInSegment(row)) {
      long start = NativeLibrary.address(weight, row);
      long bytes = bytes(weight, row);
      for (long at = 0; at < bytes && worthwhile; at += STEP) {
        long begin = System.nanoTime();
        worthwhile =
            NativeKernels.populate(start + at, Math.min(STEP, bytes - at)) == 0
                && System.nanoTime() - begin < PATIENCE_NANOS;
      }
    }
    Reference.reachabilityFence(weight); // the address of its memory was in use
    return worthwhile;
  }

  /** Returns the size of the segment of a row. */
  private static long bytes(CpuTensor weight, long row) {
    return weight.rowsInSegment(row) * weight.rowBytes();
  }
}
