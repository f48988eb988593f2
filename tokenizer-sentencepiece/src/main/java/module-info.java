/**
 * Tokenizer for SentencePiece byte-pair vocabularies: {@code tokenizer.model}, the Hugging Face
 * {@code tokenizer.json} of the same kind, and the vocabulary inside a GGUF file.
 */
module dev.llama.sentencepiece {
  requires dev.llama.api;
  requires org.slf4j;

  provides dev.llama.spi.TokenizerProvider with
      dev.llama.sentencepiece.SentencePieceProvider;
}
