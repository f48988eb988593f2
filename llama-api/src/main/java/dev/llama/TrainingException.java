package dev.llama;

/**
 * Training cannot start, go on, or be resumed: the loss is not a number, the run folder cannot be
 * written or belongs to another process, the data or options are not those of the run. The last
 * good checkpoint of the run is intact.
 */
public class TrainingException extends LlamaException {
  private static final long serialVersionUID = 1L;

  /**
   * Creates an exception.
   *
   * @param message what happened, with the values, and what to do about it
   */
  public TrainingException(String message) {
    super(message);
  }

  /**
   * Creates an exception with a cause.
   *
   * @param message what happened, with the values, and what to do about it
   * @param cause the underlying failure, or {@code null}
   */
  public TrainingException(String message, Throwable cause) {
    super(message, cause);
  }
}
