/** Runs models on the CPU. */
module dev.llama.cpu {
  requires dev.llama.api;
  requires org.bytedeco.javacpp;
  requires org.bytedeco.openblas;
  requires org.slf4j;
}
