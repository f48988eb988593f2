/** Finds the tokenizer among a model's files and the provider that understands it. */
package dev.llama.core.tokenizer;
