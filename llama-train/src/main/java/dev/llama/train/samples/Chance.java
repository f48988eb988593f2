package dev.llama.train.samples;

import dev.llama.core.model.SplitMix64;

/** Random choices that depend on a seed alone, on every Java version. For one thread. */
final class Chance {
  private static final long STEP = 0x9E3779B97F4A7C15L; // 2^64 / golden ratio

  private long state;

  /**
   * Starts a series.
   *
   * @param seed of all series
   * @param number of this one
   */
  Chance(long seed, long number) {
    state = SplitMix64.mix(SplitMix64.mix(seed + STEP) + number * STEP);
  }

  private long next() {
    state += STEP;
    return SplitMix64.mix(state);
  }

  /** Returns a number from 0 to below a bound. */
  int below(int bound) {
    return (int) Math.multiplyHigh(next() >>> 1, (long) bound << 1);
  }

  /** Returns a number from 0 to below 1. */
  double fraction() {
    return (next() >>> 11) * 0x1p-53;
  }
}
