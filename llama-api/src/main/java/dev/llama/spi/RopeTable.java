package dev.llama.spi;

/**
 * Rotary frequencies. Element i of a head is paired with element {@code i + headDim / 2}; at
 * position p the pair is rotated by {@code p * inverseFrequencies[i]} radians.
 *
 * @param inverseFrequencies F32 [headDim / 2]
 * @param magnitude cos and sin are multiplied by it; 1 but for YaRN
 */
public record RopeTable(Tensor inverseFrequencies, float magnitude) {}
