package dev.llama.train;

/**
 * The learning rate of each step: a straight line from 0 to the peak, then down to the floor.
 *
 * @param peak largest learning rate, above 0
 * @param warmupSteps steps until the peak is reached; the first has {@code peak / warmupSteps}
 * @param totalSteps steps until the floor is reached, which then stays; more than {@code
 *     warmupSteps}
 * @param decay the way down
 * @param floor last learning rate, as a fraction of the peak, in [0, 1]; of no influence where the
 *     rate is constant
 */
public record Schedule(double peak, long warmupSteps, long totalSteps, Decay decay, double floor) {
  /** The way from the peak to the floor. */
  public enum Decay {
    /** Half a cosine (Loshchilov and Hutter 2017, equation 5). */
    COSINE,
    /** A straight line. */
    LINEAR,
    /** None: the peak stays. */
    CONSTANT
  }

  /**
   * Checks the values.
   *
   * @throws dev.llama.InvalidInputException if one is out of range
   */
  public Schedule {
    Values.require(peak > 0 && peak <= 100, "learning rate", peak, "(0, 100]");
    Values.atLeast(0, "warm-up steps", warmupSteps);
    Values.require(
        totalSteps > warmupSteps,
        "number of steps",
        totalSteps,
        "more than the " + warmupSteps + " steps of the warm-up");
    Values.require(floor >= 0 && floor <= 1, "learning rate floor", floor, "[0, 1]");
  }

  /**
   * Warm-up, then half a cosine down to a tenth.
   *
   * @param peak largest learning rate
   * @param warmupSteps steps until the peak is reached
   * @param totalSteps steps until the floor is reached
   * @return the schedule
   */
  public static Schedule cosine(double peak, long warmupSteps, long totalSteps) {
    return new Schedule(peak, warmupSteps, totalSteps, Decay.COSINE, 0.1);
  }

  /**
   * Warm-up, then a straight line down to a tenth.
   *
   * @param peak largest learning rate
   * @param warmupSteps steps until the peak is reached
   * @param totalSteps steps until the floor is reached
   * @return the schedule
   */
  public static Schedule linear(double peak, long warmupSteps, long totalSteps) {
    return new Schedule(peak, warmupSteps, totalSteps, Decay.LINEAR, 0.1);
  }

  /**
   * Warm-up, then the same rate for ever.
   *
   * @param peak learning rate
   * @param warmupSteps steps until the peak is reached
   * @return the schedule
   */
  public static Schedule constant(double peak, long warmupSteps) {
    return new Schedule(peak, warmupSteps, Long.MAX_VALUE, Decay.CONSTANT, 1);
  }

  /**
   * Returns the learning rate of a step.
   *
   * @param step from 0
   * @return learning rate
   */
  public double rate(long step) {
    if (step < warmupSteps) {
      return peak * (step + 1) / warmupSteps;
    }
    double progress =
        Math.min(1, (double) (step - warmupSteps + 1) / (totalSteps - warmupSteps)); // (0, 1]
    return switch (decay) {
      case COSINE -> peak * (floor + (1 - floor) * 0.5 * (1 + Math.cos(Math.PI * progress)));
      case LINEAR -> peak * (floor + (1 - floor) * (1 - progress));
      case CONSTANT -> peak;
    };
  }
}
