package dev.llama.cpu;

/** How finely a loop is cut: parts must be worth a hand-over between threads. */
final class Work {
  /** Multiply-adds, or operations of like cost, that take about 20 microseconds. */
  private static final long PART = 1 << 15;

  private static final int PARTS_PER_THREAD = 8;

  private Work() {}

  /**
   * Returns the grain for {@link WorkerPool#parallelFor}.
   *
   * @param pool where it will run
   * @param count number of indices
   * @param each cost of one index, in multiply-adds
   */
  static int grain(WorkerPool pool, int count, long each) {
    long parts = count * Math.max(1, each) / PART;
    if (parts <= 1 || pool.threads() == 1) {
      return Math.max(1, count);
    }
    int most = (int) Math.min(Math.min(parts, count), PARTS_PER_THREAD * (long) pool.threads());
    return (count - 1) / most + 1;
  }
}
