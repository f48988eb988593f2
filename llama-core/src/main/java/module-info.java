/** Loads models and runs the decoder. */
module dev.llama.core {
  requires com.google.gson;
  requires dev.llama.api;
  requires org.slf4j;

  provides dev.llama.spi.ModelLoader with
      dev.llama.core.model.CoreModelLoader;
}
