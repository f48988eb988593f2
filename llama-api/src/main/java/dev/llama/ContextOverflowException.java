package dev.llama;

/**
 * The tokens do not fit into what is left of the session's context. Nothing was appended: the
 * session is as it was before the call.
 */
public class ContextOverflowException extends LlamaException {
  private static final long serialVersionUID = 1L;

  private final int required;
  private final int available;

  /**
   * Creates an exception.
   *
   * @param required positions that the call needs, those already in the session included
   * @param available positions that the session has in all
   */
  public ContextOverflowException(int required, int available) {
    super(
        "context overflow: "
            + required
            + " positions are needed, the context has "
            + available
            + "; shorten the prompt, rewind the session, or open it with a larger"
            + " SessionOptions.contextSize (at most the model's max_position_embeddings)");
    this.required = required;
    this.available = available;
  }

  /**
   * Returns how many positions the call needs, those already in the session included.
   *
   * @return positions
   */
  public int required() {
    return required;
  }

  /**
   * Returns how many positions the session has in all.
   *
   * @return positions
   */
  public int available() {
    return available;
  }
}
