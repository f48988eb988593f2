/**
 * Tokenizer for SentencePiece byte-pair vocabularies. Three readers (the SentencePiece file,
 * Hugging Face JSON, GGUF metadata) produce one {@link dev.llama.sentencepiece.Definition}, from
 * which one encoder and one decoder are built.
 */
package dev.llama.sentencepiece;
