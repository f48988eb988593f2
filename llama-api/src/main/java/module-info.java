/**
 * The public interface of the library ({@link dev.llama}) and the interfaces that plug-ins
 * implement ({@link dev.llama.spi}). Needs nothing but the JDK.
 */
module dev.llama.api {
  exports dev.llama;
  exports dev.llama.spi;

  uses dev.llama.spi.BackendProvider;
  uses dev.llama.spi.ModelLoader;
  uses dev.llama.spi.TokenizerProvider;
}
