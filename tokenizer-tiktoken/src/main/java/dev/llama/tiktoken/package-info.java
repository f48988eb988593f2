/** Tokenizer for tiktoken rank files. */
package dev.llama.tiktoken;
