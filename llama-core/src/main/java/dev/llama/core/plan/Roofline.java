package dev.llama.core.plan;

import dev.llama.InvalidInputException;

/**
 * What a device can do at best (Williams et al. 2009).
 *
 * @param flops floating-point operations per second, above 0; a multiplication and an addition are
 *     two
 * @param bandwidth bytes per second between memory and processor, above 0
 */
public record Roofline(double flops, double bandwidth) {
  /** Checks that both are usable. */
  public Roofline {
    check("flops", flops);
    check("bandwidth", bandwidth);
  }

  private static void check(String name, double value) {
    if (!(value > 0 && value <= Double.MAX_VALUE)) {
      throw new InvalidInputException(name + " is " + value + ", expected a number above 0");
    }
  }

  /**
   * Returns the time that some work takes at least: arithmetic and transfers overlap.
   *
   * @param operations floating-point operations
   * @param bytes transferred
   * @return seconds
   */
  public double seconds(double operations, double bytes) {
    return Math.max(operations / flops, bytes / bandwidth);
  }

  /**
   * Returns what limits some work.
   *
   * @param operations floating-point operations
   * @param bytes transferred
   * @return true for the arithmetic, false for the bandwidth
   */
  public boolean isComputeBound(double operations, double bytes) {
    return operations / flops >= bytes / bandwidth;
  }
}
