package dev.llama.tiktoken;

/** Loops over characters of well-formed UTF-8 that splitters share. */
final class Scan {
  private static final long HIGH_BITS = 0x8080808080808080L;
  private static final long ONES = 0x0101010101010101L;

  private Scan() {}

  /** Returns the end of the letters that start at an index, the index itself if there are none. */
  static int letters(Utf8.Text text, int from, int to) {
    byte[] bytes = text.bytes;
    int i = from;
    while (i < to) {
      // Eight bytes at once: words end within them nearly always, and no branch has to guess where.
      int ascii = Long.numberOfTrailingZeros(notLetters(text.words.getLong(i))) >>> 3;
      i += ascii;
      if (ascii == 8) {
        continue;
      }
      if (i >= to || bytes[i] >= 0) {
        break;
      }
      int letters = runBeyondAscii(bytes, i, to, CharClass.LETTER);
      if (letters == i) {
        break;
      }
      i = letters;
    }
    return Math.min(i, to);
  }

  /** Marks, by its highest bit, each byte that is not an ASCII letter. */
  private static long notLetters(long eight) {
    long lower = (eight | 0x20 * ONES) & ~HIGH_BITS;
    long fromA = lower + (0x80 - 'a') * ONES;
    long afterZ = lower + (0x7F - 'z') * ONES;
    return (~fromA | afterZ | eight) & HIGH_BITS;
  }

  private static int runBeyondAscii(byte[] bytes, int from, int to, byte charClass) {
    int i = from;
    while (i < to && bytes[i] < 0 && CharClass.of(Utf8.codePoint(bytes, i)) == charClass) {
      i += Utf8.width(bytes[i]);
    }
    return i;
  }

  /**
   * Returns the end of the characters of a class that start at an index, the index itself if none.
   */
  static int run(byte[] bytes, int from, int to, byte charClass) {
    int i = from;
    while (i < to && CharClass.at(bytes, i) == charClass) {
      i += Utf8.width(bytes[i]);
    }
    return i;
  }
}
