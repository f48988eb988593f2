/**
 * Loads models and runs the decoder, behind llama-api. The only package that applications may use
 * directly is {@link dev.llama.core.catalogue}, for planning tools.
 */
module dev.llama.core {
  requires transitive dev.llama.api;
  requires com.google.gson;
  requires org.slf4j;

  exports dev.llama.core.catalogue;

  provides dev.llama.spi.ModelLoader with
      dev.llama.core.model.CoreModelLoader;
}
