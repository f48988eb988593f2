/** Tokenizer for SentencePiece models. */
package dev.llama.sentencepiece;
