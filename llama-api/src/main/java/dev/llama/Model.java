package dev.llama;

import dev.llama.spi.ModelLoader;
import dev.llama.spi.Providers;
import java.nio.file.Path;
import java.util.List;

/**
 * The immutable weights of a model, on a backend. Any number of sessions on any threads share one
 * model. All methods are thread-safe.
 */
public interface Model extends AutoCloseable {

  /**
   * Loads a model.
   *
   * @param path a folder with config.json and safetensors weights, or one .gguf file
   * @return the model; close it to give its memory back
   * @throws FormatException if a file is missing, broken, or asks for what is not implemented
   * @throws BackendException if no backend can run it
   */
  static Model load(Path path) {
    return load(path, ModelOptions.defaults());
  }

  /**
   * Loads a model.
   *
   * @param path a folder with config.json and safetensors weights, or one .gguf file
   * @param options backend, threads, tokenizer, progress
   * @return the model; close it to give its memory back
   * @throws FormatException if a file is missing, broken, or asks for what is not implemented
   * @throws BackendException if no backend can run it
   */
  static Model load(Path path, ModelOptions options) {
    return Providers.require(ModelLoader.class).load(path, options);
  }

  /**
   * Creates a model from its architecture alone, with random weights: matrices are Normal(0,
   * initializer_range), norms 1, biases 0.
   *
   * @param config a config.json, or a folder that holds one (and perhaps a tokenizer)
   * @param seed the same seed gives the same weights on every machine
   * @return the model, in F32
   * @throws FormatException if the configuration is broken or asks for what is not implemented
   * @throws BackendException if no backend can run it, or memory does not suffice
   */
  static Model create(Path config, long seed) {
    return create(config, seed, ModelOptions.defaults());
  }

  /**
   * Creates a model from its architecture alone, with random weights.
   *
   * @param config a config.json, or a folder that holds one (and perhaps a tokenizer)
   * @param seed the same seed gives the same weights on every machine
   * @param options backend, threads, tokenizer, progress
   * @return the model, in F32
   * @throws FormatException if the configuration is broken or asks for what is not implemented
   * @throws BackendException if no backend can run it, or memory does not suffice
   */
  static Model create(Path config, long seed, ModelOptions options) {
    return Providers.require(ModelLoader.class).create(config, seed, options);
  }

  /**
   * Creates a model from its architecture alone, with random weights: matrices are Normal(0,
   * initializer_range), norms 1, biases 0. It has no tokenizer.
   *
   * @param config the architecture, for instance {@link ModelConfig#preset(String)}
   * @param seed the same seed gives the same weights on every machine
   * @return the model, in F32
   * @throws BackendException if no backend can run it, or memory does not suffice
   */
  static Model create(ModelConfig config, long seed) {
    return create(config, seed, ModelOptions.defaults());
  }

  /**
   * Creates a model from its architecture alone, with random weights.
   *
   * @param config the architecture, for instance {@link ModelConfig#preset(String)}
   * @param seed the same seed gives the same weights on every machine
   * @param options backend, threads, progress; without a tokenizer here the model has none
   * @return the model, in F32
   * @throws BackendException if no backend can run it, or memory does not suffice
   */
  static Model create(ModelConfig config, long seed, ModelOptions options) {
    return Providers.require(ModelLoader.class).create(config, seed, options);
  }

  /**
   * Returns the architecture.
   *
   * @return what config.json or the GGUF metadata say
   */
  ModelConfig config();

  /**
   * Returns the layers in the order in which a token passes them.
   *
   * @return {@link ModelConfig#layers()} of {@link #config()}
   */
  default List<Layer> layers() {
    return config().layers();
  }

  /**
   * Returns the tokenizer.
   *
   * @return the one in the model's files, or the one given in the options
   * @throws FormatException if there is none
   */
  Tokenizer tokenizer();

  /**
   * Returns how the model's authors would generate: {@link GenerationOptions#defaults()} changed by
   * generation_config.json.
   *
   * @return options to start from
   */
  GenerationOptions generationDefaults();

  /**
   * Returns what runs this model, and why other backends were passed over.
   *
   * @return backend, device, and all candidates with their reasons
   */
  BackendInfo backend();

  /**
   * Opens a session with the model's whole context.
   *
   * @return a new, empty session
   */
  default Session newSession() {
    return newSession(SessionOptions.defaults());
  }

  /**
   * Opens a session.
   *
   * @param options context, prefill chunk, cache type
   * @return a new, empty session
   * @throws InvalidInputException if the context is larger than {@link
   *     ModelConfig#longestContext()}, or the model is closed
   */
  Session newSession(SessionOptions options);

  /**
   * Closes all sessions and gives the memory back. Running generations end with {@link
   * FinishReason#CANCELLED}. Idempotent.
   */
  @Override
  void close();
}
