package dev.llama.core.plan;

import java.util.List;

/**
 * The speed that a device's arithmetic and bandwidth allow, without what devices tell one another:
 * a bound that real programs stay below.
 *
 * @param phase of the work
 * @param tokensPerSecond over all sequences and devices
 * @param formula how it follows from the stages' seconds
 * @param stages work of one device of each stage
 */
public record Estimate(
    Phase phase, double tokensPerSecond, String formula, List<StageWork> stages) {

  /** What is estimated. */
  public enum Phase {
    /** A prompt that fills the context, one session at a time. */
    PREFILL,
    /** One more token for each session, all in one batch, at the end of the context. */
    DECODE,
    /** A training step, forward, backward and update. */
    TRAINING
  }

  /**
   * Work of one device.
   *
   * @param stage index
   * @param flops floating-point operations
   * @param bytes that pass between memory and processor
   * @param seconds the larger of the times that these two take
   * @param computeBound whether that is the arithmetic
   */
  public record StageWork(
      int stage, double flops, double bytes, double seconds, boolean computeBound) {}

  /** Copies the list. */
  public Estimate {
    stages = List.copyOf(stages);
  }
}
