package dev.llama.core.model;

/** The bit mixer of a well-known generator of random numbers (Steele et al. 2014, figure 14). */
public final class SplitMix64 {
  private SplitMix64() {}

  /**
   * A bijection after which every bit depends on every bit.
   *
   * @param z any number
   * @return the mixed bits; 0 for 0
   */
  public static long mix(long z) {
    z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
    z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
    return z ^ (z >>> 31);
  }
}
