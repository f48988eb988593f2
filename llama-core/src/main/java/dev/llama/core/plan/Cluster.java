package dev.llama.core.plan;

import dev.llama.InvalidInputException;
import java.util.Optional;

/**
 * What there is to run on.
 *
 * @param devices number of equal devices; 0 for as many as are needed, at most {@link
 *     #MOST_DEVICES}
 * @param memory bytes of each device; 0 for unlimited
 * @param roofline speed of each device, for estimates of tokens per second
 */
public record Cluster(int devices, long memory, Optional<Roofline> roofline) {
  /** Most devices that a plan is made for. */
  public static final int MOST_DEVICES = 1024;

  /** Checks the ranges. */
  public Cluster {
    if (devices < 0 || devices > MOST_DEVICES) {
      throw new InvalidInputException(
          "devices is " + devices + ", expected 0 (as many as needed) to " + MOST_DEVICES);
    }
    if (memory < 0) {
      throw new InvalidInputException(
          "memory is " + memory + " bytes, expected 0 (unlimited) or more");
    }
  }
}
