package dev.llama.cpu;

import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.Comparator;
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

  private static final long LARGE_PAGE = 2 << 20;

  private final List<Range> pending = new ArrayList<>();

  /** Neighbouring rows of a tensor, which keeps their memory mapped. */
  private record Range(CpuTensor weight, long start, long bytes) {
    long end() {
      return start + bytes;
    }
  }

  /**
   * Asks for large pages for a tensor. They are entered later: one that is shared with the next
   * tensor is large only once that has been asked for too.
   */
  synchronized void prepare(CpuTensor weight) {
    for (long row = 0; row < weight.rows(); row += weight.rowsInSegment(row)) {
      long start = NativeLibrary.address(weight, row);
      long bytes = weight.rowsInSegment(row) * weight.rowBytes();
      NativeKernels.preferLargePages(start, bytes);
      pending.add(new Range(weight, start, bytes));
    }
  }

  /**
   * Enters the pages of all tensors; stops where that cannot be done, or not quickly. The last come
   * first: where the head of the file was read, the operating system is still reading ahead in
   * small pages, and would go on with it.
   */
  synchronized void enter() {
    pending.sort(Comparator.comparingLong(Range::start).reversed());
    for (int i = 1; i < pending.size(); i++) {
      joinAcross(pending.get(i).end(), pending.get(i - 1).start());
    }
    for (Range range : pending) {
      if (!enter(range)) {
        break;
      }
    }
    pending.clear();
  }

  /** Asks for the same where a vector lies between two tensors, or it would part a page. */
  private static void joinAcross(long from, long to) {
    if (to > from && to - from < LARGE_PAGE) {
      NativeKernels.preferLargePages(from, to - from);
    }
  }

  private static boolean enter(Range range) {
    boolean worthwhile = true;
    for (long at = 0; at < range.bytes && worthwhile; at += STEP) {
      long begin = System.nanoTime();
      worthwhile =
          NativeKernels.populate(range.start + at, Math.min(STEP, range.bytes - at)) == 0
              && System.nanoTime() - begin < PATIENCE_NANOS;
    }
    Reference.reachabilityFence(range.weight); // the address of its memory was in use
    return worthwhile;
  }
}
