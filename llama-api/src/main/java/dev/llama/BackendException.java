package dev.llama;

/**
 * No backend can do what was asked: the named one is absent or unusable, memory is exhausted, or a
 * device failed. The message holds every provider's reason, or the sizes needed and available.
 */
public class BackendException extends LlamaException {
  private static final long serialVersionUID = 1L;

  /**
   * Creates an exception.
   *
   * @param message what was asked, what is there, and the cure
   */
  public BackendException(String message) {
    super(message);
  }

  /**
   * Creates an exception with a cause.
   *
   * @param message what was asked, what is there, and the cure
   * @param cause the underlying failure, or {@code null}
   */
  public BackendException(String message, Throwable cause) {
    super(message, cause);
  }
}
