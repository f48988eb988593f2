/** Tokenizer for SentencePiece models. */
module dev.llama.sentencepiece {
  requires dev.llama.api;
  requires org.slf4j;
}
