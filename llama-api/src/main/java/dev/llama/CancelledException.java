package dev.llama;

/**
 * Work was stopped from another thread, by {@link Session#close()} or {@link Model#close()}. An
 * iteration over a {@link Generation} does not throw it: it ends with {@link
 * FinishReason#CANCELLED}.
 */
public class CancelledException extends LlamaException {
  private static final long serialVersionUID = 1L;

  /**
   * Creates an exception.
   *
   * @param message what was stopped, and by what
   */
  public CancelledException(String message) {
    super(message);
  }
}
