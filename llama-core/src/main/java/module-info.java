/**
 * Loads models and runs the decoder, behind llama-api. The only packages that applications may use
 * directly are {@link dev.llama.core.catalogue} and {@link dev.llama.core.plan}, for planning
 * tools.
 */
module dev.llama.core {
  requires transitive dev.llama.api;
  requires com.google.gson;
  requires org.slf4j;

  exports dev.llama.core.catalogue;
  exports dev.llama.core.plan;

  provides dev.llama.spi.ModelLoader with
      dev.llama.core.model.CoreModelLoader;
}
