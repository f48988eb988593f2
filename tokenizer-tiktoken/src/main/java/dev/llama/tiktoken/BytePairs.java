package dev.llama.tiktoken;

/** What turns pieces of text into tokens. Immutable. */
final class BytePairs {
  private final int[] byteIds; // [256] the token of each byte
  private final int[] byteRanks; // [256 * 256] the rank of each pair of bytes
  private final MergeTable merges;
  private final TokenTable wholePieces;

  /**
   * Puts the parts together.
   *
   * @param byteIds the token of each byte: [256]
   * @param merges which pairs of tokens are joined, and in which order
   * @param wholePieces pieces that are a token as a whole, without looking at merges
   */
  BytePairs(int[] byteIds, MergeTable merges, TokenTable wholePieces) {
    this.byteIds = byteIds;
    this.merges = merges;
    this.wholePieces = wholePieces;
    this.byteRanks = new int[1 << 16];
    for (int i = 0; i < byteRanks.length; i++) {
      byteRanks[i] = merges.rank(byteIds[i >> 8], byteIds[i & 0xFF]);
    }
  }

  /** Returns the token of a byte. */
  int ofByte(byte b) {
    return byteIds[b & 0xFF];
  }

  /** Returns the rank of the pair of two bytes' tokens. */
  int rank(byte left, byte right) {
    return byteRanks[(left & 0xFF) << 8 | right & 0xFF];
  }

  /** Returns which pairs of tokens are joined, and in which order. */
  MergeTable merges() {
    return merges;
  }

  /** Returns the pieces that are a token as a whole. */
  TokenTable wholePieces() {
    return wholePieces;
  }
}
