package dev.llama.tiktoken;

/**
 * A token that is recognised in text before the text is split.
 *
 * @param text what stands for it
 * @param id its id
 * @param special whether it is recognised on request only, and left out of streamed text
 * @param stripsLeft whether white space before it belongs to it
 * @param stripsRight whether white space after it belongs to it
 * @param late whether it is looked for in what the other tokens leave over
 */
record AddedToken(
    String text, int id, boolean special, boolean stripsLeft, boolean stripsRight, boolean late) {

  /** A special token without further properties. */
  static AddedToken special(String text, int id) {
    return new AddedToken(text, id, true, false, false, false);
  }
}
