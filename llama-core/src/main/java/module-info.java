/**
 * Loads models and runs the decoder, behind llama-api. The only packages that applications may use
 * directly are {@link dev.llama.core.catalogue} and {@link dev.llama.core.plan}, for planning
 * tools, and {@link dev.llama.core.quantize}.
 */
module dev.llama.core {
  requires transitive dev.llama.api;
  requires com.google.gson;
  requires org.slf4j;

  exports dev.llama.core.catalogue;
  exports dev.llama.core.plan;
  exports dev.llama.core.quantize;

  provides dev.llama.spi.ModelLoader with
      dev.llama.core.model.CoreModelLoader;
}
