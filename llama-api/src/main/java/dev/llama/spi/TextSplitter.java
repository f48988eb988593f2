package dev.llama.spi;

/**
 * Cuts text into the pieces within which a byte-level vocabulary merges bytes: what is needed to
 * train one. Immutable and safe for use by many threads at once.
 */
public interface TextSplitter {
  /**
   * Cuts a text.
   *
   * @param text any text; an unpaired surrogate counts as U+FFFD
   * @param pieces takes the pieces, in order
   * @throws dev.llama.InvalidInputException if the split pattern cannot cope with the text
   */
  void split(CharSequence text, Pieces pieces);

  /** Takes pieces. */
  interface Pieces {
    /**
     * Takes a piece.
     *
     * @param utf8 holds it; not to be kept or modified
     * @param from index of its first byte
     * @param to index after its last byte, above {@code from}
     */
    void piece(byte[] utf8, int from, int to);
  }
}
