package dev.llama.core.plan;

import dev.llama.InvalidInputException;

/**
 * How a model is spread over devices: {@code tensor * pipeline * context} of them.
 *
 * @param tensor devices that hold slices of the same matrices (Shoeybi et al. 2019)
 * @param pipeline stages, each with its own blocks (Huang et al. 2019)
 * @param context devices that hold slices of the same sequences, each with a whole copy of its
 *     stage's weights (Liu et al. 2023)
 * @param sequence whether the devices of a tensor group also share the rows of the residual stream
 *     and the norms' outputs, of which each holds a copy otherwise (Korthikanti et al. 2022)
 */
public record Split(int tensor, int pipeline, int context, boolean sequence) {
  /** Checks the ranges. */
  public Split {
    check("tensor", tensor);
    check("pipeline", pipeline);
    check("context", context);
  }

  private static void check(String name, int degree) {
    if (degree < 1) {
      throw new InvalidInputException(
          "the degree of " + name + " parallelism is " + degree + ", expected 1 or more");
    }
  }

  /**
   * Returns the number of devices.
   *
   * @return product of the degrees
   */
  public long devices() {
    return (long) tensor * pipeline * context;
  }
}
