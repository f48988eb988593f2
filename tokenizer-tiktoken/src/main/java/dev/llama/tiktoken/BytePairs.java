package dev.llama.tiktoken;

/**
 * What turns pieces of text into tokens. Immutable.
 *
 * @param byteIds the token of each byte: [256]
 * @param merges which pairs of tokens are joined, and in which order
 * @param wholePieces pieces that are a token as a whole, without looking at merges
 */
record BytePairs(int[] byteIds, MergeTable merges, TokenTable wholePieces) {
  /** Returns the token of a byte. */
  int ofByte(byte b) {
    return byteIds[b & 0xFF];
  }
}
