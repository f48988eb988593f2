/** Byte-level byte-pair encoding: tiktoken ranks, tokenizer.json and GGUF vocabularies. */
module dev.llama.tiktoken {
  requires dev.llama.api;
  requires org.slf4j;

  provides dev.llama.spi.TokenizerProvider with
      dev.llama.tiktoken.TiktokenProvider;
}
