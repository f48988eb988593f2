package dev.llama.spi;

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
 */
public record AttentionSpec(
    int layer, int heads, int keyValueHeads, int headDim, float scale, int window) {}
