package dev.llama.tiktoken;

import java.util.Arrays;

/** The classes of characters that split patterns tell apart, by Unicode 16.0. */
final class CharClass {
  /** Neither of the others: {@code [^\s\p{L}\p{N}]}. */
  static final byte OTHER = 0;

  /** {@code \p{L}}. */
  static final byte LETTER = 1;

  /** {@code \p{N}}. */
  static final byte NUMBER = 2;

  /** White space other than CR and LF. */
  static final byte SPACE = 3;

  /** CR or LF. */
  static final byte NEWLINE = 4;

  private static final int BLOCK = 256;

  /** Classes of 256 code points each; blocks of one class only are shared. */
  private static final byte[][] BLOCKS = build();

  /** The classes of ASCII, on one level for the hot path. */
  private static final byte[] ASCII = Arrays.copyOf(BLOCKS[0], 128);

  private CharClass() {}

  /** Returns the class of an ASCII character, 0 to 127. */
  static byte ofAscii(int c) {
    return ASCII[c];
  }

  /** Returns the class of a code point, 0 to 0x10FFFF. */
  static byte of(int codePoint) {
    return BLOCKS[codePoint >> 8][codePoint & (BLOCK - 1)];
  }

  /** Returns the class of the character that starts at an index of well-formed UTF-8. */
  static byte at(byte[] utf8, int index) {
    int b = utf8[index];
    return b >= 0 ? ASCII[b] : of(Utf8.codePoint(utf8, index));
  }

  private static byte[][] build() {
    byte[][] uniform = new byte[SPACE + 1][BLOCK];
    for (byte c = OTHER; c <= SPACE; c++) {
      Arrays.fill(uniform[c], c);
    }
    byte[][] blocks = new byte[(Character.MAX_CODE_POINT + 1) / BLOCK][];
    Arrays.fill(blocks, uniform[OTHER]);
    fill(blocks, uniform, UnicodeRanges.LETTERS, LETTER);
    fill(blocks, uniform, UnicodeRanges.NUMBERS, NUMBER);
    fill(blocks, uniform, UnicodeRanges.WHITE_SPACE, SPACE);
    blocks[0]['\r'] = NEWLINE;
    blocks[0]['\n'] = NEWLINE;
    return blocks;
  }

  private static void fill(byte[][] blocks, byte[][] uniform, String ranges, byte charClass) {
    for (String range : ranges.split(" ")) {
      int dash = range.indexOf('-');
      int first = Integer.parseInt(dash < 0 ? range : range.substring(0, dash), 16);
      int last = dash < 0 ? first : Integer.parseInt(range.substring(dash + 1), 16);
      for (int block = first / BLOCK; block <= last / BLOCK; block++) {
        int from = Math.max(first - block * BLOCK, 0);
        int to = Math.min(last - block * BLOCK + 1, BLOCK);
        if (to - from == BLOCK) {
          blocks[block] = uniform[charClass];
        } else {
          if (blocks[block] == uniform[OTHER]) {
            blocks[block] = uniform[OTHER].clone();
          }
          Arrays.fill(blocks[block], from, to, charClass);
        }
      }
    }
  }
}
