/**
 * What plug-ins implement: compute backends ({@link dev.llama.spi.BackendProvider}), tokenizers
 * ({@link dev.llama.spi.TokenizerProvider}) and the loader of models ({@link
 * dev.llama.spi.ModelLoader}). They are found by {@link java.util.ServiceLoader}; a provider is
 * named in {@code META-INF/services} and, in a named module, by {@code provides}.
 *
 * <p>Shapes are written [rows, width], row-major. Sizes are in elements and times in seconds unless
 * a name says otherwise. Arguments are checked where they enter the library; below that, operations
 * may rely on what their documentation demands and only assert it.
 */
package dev.llama.spi;
