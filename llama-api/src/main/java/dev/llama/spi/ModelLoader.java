package dev.llama.spi;

import dev.llama.Model;
import dev.llama.ModelConfig;
import dev.llama.ModelOptions;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import java.nio.file.Path;
import java.util.List;

/** Opens model files: what llama-core implements behind the static methods of the public API. */
public interface ModelLoader {
  /**
   * Implements {@link Model#load(Path, ModelOptions)}.
   *
   * @param path folder or .gguf file
   * @param options backend, threads, tokenizer, progress
   * @return the model
   */
  Model load(Path path, ModelOptions options);

  /**
   * Implements {@link Model#create(Path, long, ModelOptions)}.
   *
   * @param config config.json or a folder that holds one
   * @param seed of the weights
   * @param options backend, threads, tokenizer, progress
   * @return the model
   */
  Model create(Path config, long seed, ModelOptions options);

  /**
   * Implements {@link Model#create(ModelConfig, long, ModelOptions)}.
   *
   * @param config the architecture
   * @param seed of the weights
   * @param options backend, threads, tokenizer, progress
   * @return the model
   */
  Model create(ModelConfig config, long seed, ModelOptions options);

  /**
   * Implements {@link ModelConfig#preset(String)}.
   *
   * @param name one of {@link #presets()}
   * @return the architecture
   */
  ModelConfig preset(String name);

  /**
   * Implements {@link ModelConfig#presets()}.
   *
   * @return names, unmodifiable, the same at every call
   */
  List<String> presets();

  /**
   * Implements {@link ModelConfig#read(Path)}.
   *
   * @param path config.json, folder or .gguf file
   * @return the architecture
   */
  ModelConfig readConfig(Path path);

  /**
   * Implements {@link Tokenizer#load(Path, TokenizerOptions)}.
   *
   * @param path tokenizer file, folder or .gguf file
   * @param options what the file leaves open
   * @return the tokenizer
   */
  Tokenizer loadTokenizer(Path path, TokenizerOptions options);
}
