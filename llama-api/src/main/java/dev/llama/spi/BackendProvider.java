package dev.llama.spi;

/** Offers a compute backend. */
public interface BackendProvider {
  /**
   * Returns the name by which users choose the backend.
   *
   * @return lower-case letters, for instance {@code "cpu"}
   */
  String name();

  /**
   * Says whether the backend can be used here. Never throws, and takes no lasting resources.
   *
   * @return score and reason
   */
  Availability probe();

  /**
   * Opens the backend.
   *
   * @param options variant and threads
   * @return a backend of its own, with its own threads and memory
   * @throws dev.llama.BackendException if it cannot be used, or the variant is unknown
   */
  Backend open(BackendOptions options);
}
