package dev.llama.sentencepiece;

import java.util.Arrays;

/** The first symbols of a text: for each character its piece. Pages of 256 code points. */
final class SymbolTable {
  private static final int[] EMPTY = new int[256];

  private final int[][] pages = new int[(Character.MAX_CODE_POINT >> 8) + 1][];

  SymbolTable() {
    Arrays.fill(pages, EMPTY);
  }

  void put(int codePoint, int id) {
    if (pages[codePoint >> 8] == EMPTY) {
      pages[codePoint >> 8] = new int[256];
    }
    pages[codePoint >> 8][codePoint & 255] = id + 1;
  }

  /** The character's piece, or the complement of the code point if it is none. */
  int symbol(int codePoint) {
    int id = pages[codePoint >> 8][codePoint & 255] - 1;
    return id >= 0 ? id : ~codePoint;
  }
}
