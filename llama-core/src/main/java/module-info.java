/** Loads models and runs the decoder. */
module dev.llama.core {
  requires com.google.gson;
  requires transitive dev.llama.api;
  requires org.slf4j;

  exports dev.llama.core.plan;

  provides dev.llama.spi.ModelLoader with
      dev.llama.core.model.CoreModelLoader;
}
