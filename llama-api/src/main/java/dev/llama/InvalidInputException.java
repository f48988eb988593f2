package dev.llama;

/**
 * A value that the caller passed cannot be used: an option out of range, a token id outside the
 * vocabulary, a shape that does not fit, a closed session. The state of the receiver is unchanged.
 */
public class InvalidInputException extends LlamaException {
  private static final long serialVersionUID = 1L;

  /**
   * Creates an exception.
   *
   * @param message the name of the value, what it is, and what it may be
   */
  public InvalidInputException(String message) {
    super(message);
  }
}
