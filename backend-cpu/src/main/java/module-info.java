/** Runs models on the CPU. */
module dev.llama.cpu {
  requires dev.llama.api;
  requires static java.management;
  requires org.bytedeco.javacpp;
  requires org.bytedeco.openblas;
  requires org.slf4j;

  provides dev.llama.spi.BackendProvider with
      dev.llama.cpu.CpuBackendProvider;
}
