/**
 * Byte-level byte-pair encoding, found by {@link java.util.ServiceLoader}: tiktoken ranks, {@code
 * tokenizer.json} and GGUF vocabularies. Text is split by Unicode 16.0.
 */
package dev.llama.tiktoken;
