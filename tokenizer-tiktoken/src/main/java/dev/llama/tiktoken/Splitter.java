package dev.llama.tiktoken;

/** Cuts text into the pieces within which byte pairs are merged. Immutable. */
interface Splitter {
  /**
   * Hands the pieces of a stretch of text to the encoder, in order. Nothing outside the stretch has
   * an influence.
   *
   * @param text well-formed UTF-8 in {@code encoder}
   * @param from index of the first byte
   * @param to index after the last byte
   * @param encoder takes the pieces
   */
  void split(byte[] text, int from, int to, PieceEncoder encoder);
}
