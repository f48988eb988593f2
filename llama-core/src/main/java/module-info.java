/**
 * Loads models and runs the decoder, behind llama-api. The only packages that applications may use
 * directly are {@link dev.llama.core.catalogue} and {@link dev.llama.core.plan}, for planning
 * tools, and {@link dev.llama.core.quantize}; llama-train sees the packages that it needs for
 * models of its own.
 */
@SuppressWarnings("module") // llama-train is built after this module, and need not be there
module dev.llama.core {
  requires transitive dev.llama.api;
  requires com.google.gson;
  requires org.slf4j;

  exports dev.llama.core.catalogue;
  exports dev.llama.core.plan;
  exports dev.llama.core.quantize;
  exports dev.llama.core.config to
      dev.llama.train;
  exports dev.llama.core.files to
      dev.llama.train;
  exports dev.llama.core.json to
      dev.llama.train;
  exports dev.llama.core.model to
      dev.llama.train;
  exports dev.llama.core.tokenizer to
      dev.llama.train;

  provides dev.llama.spi.ModelLoader with
      dev.llama.core.model.CoreModelLoader;
}
