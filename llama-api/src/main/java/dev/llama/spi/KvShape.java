package dev.llama.spi;

import dev.llama.DType;

/**
 * What a KV cache holds.
 *
 * @param layers number of attention layers
 * @param keyValueHeads key heads, and as many value heads, of each layer
 * @param headDim width of a head
 * @param type F32 or F16
 * @param maxPositions largest length; memory is taken as the cache grows, not in advance
 */
public record KvShape(int layers, int keyValueHeads, int headDim, DType type, int maxPositions) {}
