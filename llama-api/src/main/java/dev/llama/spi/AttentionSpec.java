package dev.llama.spi;

import java.util.Optional;

/**
 * The constants of one attention layer.
 *
 * @param layer index in the KV cache, from 0
 * @param heads query heads
 * @param keyValueHeads key and value heads, a divisor of {@code heads}; query head h uses key head
 *     {@code h / (heads / keyValueHeads)}
 * @param headDim width of a head
 * @param scale factor of the scores, usually {@code 1 / sqrt(headDim)}
 * @param window a row sees its own position and this many minus one before it; 0 for all
 * @param dropout for training; a backend without it refuses by name
 */
public record AttentionSpec(
    int layer,
    int heads,
    int keyValueHeads,
    int headDim,
    float scale,
    int window,
    Optional<AttentionDropout> dropout) {
  /**
   * Attention without dropout.
   *
   * @param layer index in the KV cache, from 0
   * @param heads query heads
   * @param keyValueHeads key and value heads
   * @param headDim width of a head
   * @param scale factor of the scores
   * @param window a row sees its own position and this many minus one before it; 0 for all
   */
  public AttentionSpec(
      int layer, int heads, int keyValueHeads, int headDim, float scale, int window) {
    this(layer, heads, keyValueHeads, headDim, scale, window, Optional.empty());
  }

  /**
   * The same attention with dropout.
   *
   * @param value which weights are dropped
   * @return a copy
   */
  public AttentionSpec withDropout(AttentionDropout value) {
    return new AttentionSpec(
        layer, heads, keyValueHeads, headDim, scale, window, Optional.of(value));
  }
}
