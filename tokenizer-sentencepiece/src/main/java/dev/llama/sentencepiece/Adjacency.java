package dev.llama.sentencepiece;

/**
 * Which characters stand next to each other inside some piece. Between two that never do, no merge
 * can reach across, so a text may be cut there and the parts merged by themselves: this gives words
 * their own small problem, as a split pattern does in other tokenizers, but changes no result.
 */
final class Adjacency {
  private final long[] ascii = new long[256]; // bit b of row a: (a << 7 | b)
  private int[] pairs = new int[1024]; // a << 16 | b for the others; 0 is free (ASCII itself)
  private int entries;

  /** Notes all neighbours within a piece. */
  void addAll(String piece, boolean splitAtSpaces) {
    for (int i = 1; i < piece.length(); i++) {
      if (!splitAtSpaces || piece.charAt(i) != ' ') {
        add(piece.charAt(i - 1), piece.charAt(i));
      }
    }
  }

  private void add(char a, char b) {
    if ((a | b) < 128) {
      int bit = a << 7 | b;
      ascii[bit >> 6] |= 1L << bit;
      return;
    }
    int slot = slot(a << 16 | b, pairs);
    if (pairs[slot] == 0) {
      pairs[slot] = a << 16 | b;
      if (++entries * 2 > pairs.length) {
        grow();
      }
    }
  }

  private void grow() {
    int[] larger = new int[pairs.length * 2];
    for (int pair : pairs) {
      if (pair != 0) {
        larger[slot(pair, larger)] = pair;
      }
    }
    pairs = larger;
  }

  /** Whether {@code b} may follow {@code a} inside a piece; always true inside a surrogate pair. */
  boolean joins(char a, char b) {
    if ((a | b) < 128) {
      int bit = a << 7 | b;
      return (ascii[bit >> 6] >>> bit & 1) != 0;
    }
    return Character.isLowSurrogate(b) || pairs[slot(a << 16 | b, pairs)] != 0;
  }

  private static int slot(int pair, int[] table) {
    int mask = table.length - 1;
    int mixed = pair * 0x9E3779B9;
    int slot = (mixed ^ mixed >>> 16) & mask;
    while (table[slot] != 0 && table[slot] != pair) {
      slot = slot + 1 & mask;
    }
    return slot;
  }
}
