/** Runs models on NVIDIA GPUs. */
module dev.llama.cuda {
  requires dev.llama.api;
  requires com.sun.jna;
  requires org.slf4j;

  provides dev.llama.spi.BackendProvider with
      dev.llama.cuda.CudaBackendProvider;
}
