/** Tokenizer for tiktoken rank files. */
module dev.llama.tiktoken {
  requires dev.llama.api;
  requires org.slf4j;
}
