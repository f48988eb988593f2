package dev.llama.tiktoken;

/** Cuts text into the pieces within which byte pairs are merged. Immutable. */
interface Splitter {
  /**
   * Hands the pieces of a stretch of text to the encoder, in order. Nothing outside the stretch has
   * an influence.
   *
   * @param text what {@code encoder} encodes
   * @param from index of the first byte
   * @param to index after the last byte
   * @param encoder takes the pieces
   */
  void split(Utf8.Text text, int from, int to, PieceEncoder encoder);
}
