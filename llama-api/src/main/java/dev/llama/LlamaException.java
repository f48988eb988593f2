package dev.llama;

/**
 * Anything that this library reports as an error. The message names the file or the operation, the
 * value found, the value expected, and the cure. There is one subclass for each thing a caller can
 * act on.
 */
public class LlamaException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * Creates an exception.
   *
   * @param message what happened, with the values, and what to do about it
   */
  public LlamaException(String message) {
    super(message);
  }

  /**
   * Creates an exception with a cause.
   *
   * @param message what happened, with the values, and what to do about it
   * @param cause the underlying failure, or {@code null}
   */
  public LlamaException(String message, Throwable cause) {
    super(message, cause);
  }
}
