package dev.llama.train.data;

import dev.llama.core.model.SplitMix64;
import java.util.List;

/**
 * Random orders that depend on a seed alone: the generator is SplitMix64 (Steele, Lea and Flood,
 * 2014), written out so that no Java version orders data in another way.
 */
final class Shuffle {
  private long state;

  private Shuffle(long state) {
    this.state = state;
  }

  /** Makes a generator for one purpose out of several. */
  static Shuffle of(long seed, long... purpose) {
    long state = mix(seed);
    for (long number : purpose) {
      state = mix(state + mix(number + 1));
    }
    return new Shuffle(state);
  }

  /** Spreads a number over all 64 bits; a bijection. */
  static long mix(long z) {
    return SplitMix64.mix(z + 0x9E3779B97F4A7C15L);
  }

  /** Returns a number from 0 to below a bound; its bias is below bound / 2^64. */
  private int below(int bound) {
    long random = mix(state);
    state += 0x9E3779B97F4A7C15L;
    return (int) Math.multiplyHigh(random >>> 1, (long) bound << 1);
  }

  /** Puts a list into random order: Fisher and Yates. */
  <T> void apply(List<T> list) {
    for (int i = list.size() - 1; i > 0; i--) {
      int j = below(i + 1);
      T other = list.get(j);
      list.set(j, list.get(i));
      list.set(i, other);
    }
  }
}
