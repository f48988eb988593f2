package dev.llama;

import java.util.Objects;

/**
 * One message of a dialog.
 *
 * @param role {@code "system"}, {@code "user"}, {@code "assistant"}, {@code "ipython"} …
 * @param content the text; special tokens in it are ordinary text
 * @param toolCall true for a message of the model that calls a tool: it ends with the
 *     end-of-message token instead of the end-of-turn token, and a leading {@code <|python_tag|>}
 *     is the special token
 */
public record ChatMessage(String role, String content, boolean toolCall) {
  /** Checks that nothing is {@code null}. */
  public ChatMessage {
    Objects.requireNonNull(role, "role");
    Objects.requireNonNull(content, "content");
  }

  /**
   * An ordinary message.
   *
   * @param role who speaks
   * @param content the text
   */
  public ChatMessage(String role, String content) {
    this(role, content, false);
  }
}
