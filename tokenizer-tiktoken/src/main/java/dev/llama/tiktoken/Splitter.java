package dev.llama.tiktoken;

/** Cuts text into the pieces within which byte pairs are merged. Immutable. */
interface Splitter {
  /**
   * Hands the pieces of a stretch of text on, in order. Nothing outside the stretch has an
   * influence.
   *
   * @param text UTF-8
   * @param from index of the first byte
   * @param to index after the last byte
   * @param pieces takes the pieces
   */
  void split(Utf8.Text text, int from, int to, Pieces pieces);

  /** Takes pieces. */
  interface Pieces {
    /** Takes the piece between two byte indices; an empty one is none. */
    void encode(int from, int to);
  }
}
