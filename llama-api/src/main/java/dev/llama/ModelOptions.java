package dev.llama;

import java.util.Optional;

/**
 * How to load a model. Immutable: the setters return changed copies.
 *
 * @param backend {@code "name"} or {@code "name:variant"} of a backend ({@code "cpu"}, {@code
 *     "cpu:reference"}, {@code "cuda:1"}); obeyed, or loading fails. Absent: the system property
 *     {@code llama.backend}, which is obeyed likewise, or else the usable backend with the best
 *     score
 * @param threads threads for the backend; 0 for the number of cores
 * @param tokenizer used instead of the one in the model's files
 * @param listener is told the progress of loading
 * @param opListener is told how long each operation took; absent, which costs nothing, as a rule
 */
public record ModelOptions(
    Optional<String> backend,
    int threads,
    Optional<Tokenizer> tokenizer,
    LoadListener listener,
    Optional<OpListener> opListener) {

  private static final ModelOptions DEFAULTS =
      new ModelOptions(
          Optional.empty(), 0, Optional.empty(), (phase, done, total) -> {}, Optional.empty());

  /** Checks the number of threads. */
  public ModelOptions {
    if (threads < 0 || threads > 1024) {
      throw new InvalidInputException("threads is " + threads + ", expected 0 (automatic) to 1024");
    }
  }

  /**
   * Best backend, automatic threads, tokenizer of the model.
   *
   * @return options
   */
  public static ModelOptions defaults() {
    return DEFAULTS;
  }

  /**
   * Demands a backend.
   *
   * @param backend {@code "name"} or {@code "name:variant"}
   * @return changed options
   */
  public ModelOptions backend(String backend) {
    return new ModelOptions(Optional.of(backend), threads, tokenizer, listener, opListener);
  }

  /**
   * Sets the number of threads.
   *
   * @param threads 0 for automatic
   * @return changed options
   */
  public ModelOptions threads(int threads) {
    return new ModelOptions(backend, threads, tokenizer, listener, opListener);
  }

  /**
   * Sets the tokenizer.
   *
   * @param tokenizer used instead of the one in the model's files
   * @return changed options
   */
  public ModelOptions tokenizer(Tokenizer tokenizer) {
    return new ModelOptions(backend, threads, Optional.of(tokenizer), listener, opListener);
  }

  /**
   * Sets the listener.
   *
   * @param listener is told the progress of loading
   * @return changed options
   */
  public ModelOptions listener(LoadListener listener) {
    return new ModelOptions(backend, threads, tokenizer, listener, opListener);
  }

  /**
   * Has every operation timed. The model then waits for each one, so that a device cannot work
   * ahead, and nothing is recorded.
   *
   * @param opListener is told how long each operation took
   * @return changed options
   */
  public ModelOptions opListener(OpListener opListener) {
    return new ModelOptions(backend, threads, tokenizer, listener, Optional.of(opListener));
  }
}
