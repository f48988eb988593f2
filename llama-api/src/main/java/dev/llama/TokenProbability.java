package dev.llama;

/**
 * A token and how likely the model found it.
 *
 * @param id token id
 * @param logProbability natural logarithm of the softmax of the model's raw logits, before
 *     penalties, filters and temperature; at most 0
 */
public record TokenProbability(int id, float logProbability) {}
