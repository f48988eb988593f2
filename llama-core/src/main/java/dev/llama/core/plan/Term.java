package dev.llama.core.plan;

/**
 * One summand of a device's memory.
 *
 * @param kind what the memory is for
 * @param name a weight's name, with {@code *} for the number of a block, or what is stored
 * @param formula how the bytes come about: factors with their units, joined by {@code x} and {@code
 *     /}, evaluated from left to right
 * @param bytes value of the formula
 */
public record Term(Kind kind, String name, String formula, long bytes) {
  /** What memory is for. */
  public enum Kind {
    /** Parameters. */
    WEIGHTS,
    /** Keys and values of the positions so far. */
    KV_CACHE,
    /** Buffers of the forward pass and, in training, what the backward pass needs. */
    ACTIVATIONS,
    /** Gradients of the parameters. */
    GRADIENTS,
    /** The two moments of AdamW. */
    OPTIMIZER,
    /** Buffers of the process; where the device is the CPU they are in the same memory. */
    HOST
  }
}
