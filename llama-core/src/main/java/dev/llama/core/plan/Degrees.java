package dev.llama.core.plan;

import dev.llama.InvalidInputException;

/**
 * The split that is wanted. A degree of 0 is chosen by {@link Plan#of}: so that the model fits on
 * the fewest devices, or 1 where their memory is unlimited.
 *
 * @param tensor slices of matrices
 * @param pipeline stages
 * @param context slices of sequences
 * @param sequence whether tensor groups share the rows of the residual stream
 * @see Split
 */
public record Degrees(int tensor, int pipeline, int context, boolean sequence) {
  /** Checks the ranges. */
  public Degrees {
    check("tensor", tensor);
    check("pipeline", pipeline);
    check("context", context);
    if (sequence && tensor == 1) {
      throw new InvalidInputException(
          "sequence parallelism shares rows within a tensor group; with a tensor degree of 1 there"
              + " is nobody to share with");
    }
  }

  private static void check(String name, int degree) {
    if (degree < 0) {
      throw new InvalidInputException(
          "the degree of "
              + name
              + " parallelism is "
              + degree
              + ", expected 1 or more, or 0 for the smallest that fits");
    }
  }

  /**
   * Leaves every degree open, without sequence parallelism.
   *
   * @return zeros
   */
  public static Degrees smallest() {
    return new Degrees(0, 0, 0, false);
  }

  /** The number of devices that the degrees given need at least. */
  long leastDevices() {
    return (long) Math.max(1, tensor) * Math.max(1, pipeline) * Math.max(1, context);
  }
}
