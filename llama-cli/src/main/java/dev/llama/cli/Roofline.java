package dev.llama.cli;

import dev.llama.BackendException;
import dev.llama.DType;
import dev.llama.Model;
import dev.llama.ModelConfig;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.BackendProvider;
import dev.llama.spi.Providers;
import java.util.OptionalDouble;

/**
 * The speed that memory allows a decode: it reads all weights for every token, and the keys and
 * values of all tokens before it.
 */
final class Roofline {
  private final ModelConfig config;
  private final long weightBytes; // that one token reads
  private final DType cacheType;
  private final OptionalDouble bandwidth;

  private Roofline(
      ModelConfig config, long weightBytes, DType cacheType, OptionalDouble bandwidth) {
    this.config = config;
    this.weightBytes = weightBytes;
    this.cacheType = cacheType;
    this.bandwidth = bandwidth;
  }

  /**
   * Measures the bandwidth with the model's backend and threads.
   *
   * @param model loaded
   * @param bytes of its weights
   * @param cacheType of keys and values
   * @param choice threads, and the variant of the backend
   */
  static Roofline of(Model model, long bytes, DType cacheType, ModelChoice choice) {
    ModelConfig config = model.config();
    // Of an embedding that is not the output matrix as well, one row is read.
    double embedding = (double) config.vocabSize() * config.hiddenSize();
    double read = config.tieWordEmbeddings() ? 1 : 1 - embedding / config.parameterCount();
    long weightBytes = (long) (bytes * read);
    OptionalDouble bandwidth = bandwidth(model.backend().name(), choice, weightBytes);
    return new Roofline(config, weightBytes, cacheType, bandwidth);
  }

  private static OptionalDouble bandwidth(String backend, ModelChoice choice, long bytes) {
    for (BackendProvider provider : Providers.find(BackendProvider.class, broken -> {})) {
      if (!provider.name().equals(backend)) {
        continue;
      }
      BackendOptions options = new BackendOptions(choice.variant(), choice.threads());
      try (Backend opened = provider.open(options)) {
        return opened.readBandwidth(bytes);
      } catch (BackendException e) {
        return OptionalDouble.empty(); // the model has one; a second one may be too much
      }
    }
    return OptionalDouble.empty();
  }

  boolean isKnown() {
    return bandwidth.isPresent();
  }

  /** Bytes per second. */
  double bandwidth() {
    return bandwidth.orElseThrow();
  }

  /** Bytes that one token reads behind others. */
  long bytes(int depth) {
    return weightBytes + config.kvCacheBytes(depth, cacheType);
  }

  /** Tokens per second that memory allows. */
  double limit(int depth) {
    return bandwidth() / bytes(depth);
  }

  double share(int depth, Samples speed) {
    return speed.median() / limit(depth);
  }
}
