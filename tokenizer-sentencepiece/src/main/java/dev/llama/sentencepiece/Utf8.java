package dev.llama.sentencepiece;

/**
 * The rule by which byte tokens become characters: a broken sequence gives one U+FFFD for each of
 * its bytes, as in SentencePiece (the JDK gives one for the whole sequence).
 */
final class Utf8 {
  private Utf8() {}

  /**
   * Looks at the start of a sequence.
   *
   * @return its length if it is one whole character; 0 if more bytes could make it one; -1 if the
   *     first byte is broken
   */
  static int length(byte[] bytes, int from, int to) {
    int first = bytes[from];
    if (first >= 0) {
      return 1;
    }
    int length =
        first < (byte) 0xC2
            ? 0
            : first < (byte) 0xE0 ? 2 : first < (byte) 0xF0 ? 3 : first < (byte) 0xF5 ? 4 : 0;
    if (length == 0) {
      return -1;
    }
    for (int i = 1; i < length && from + i < to; i++) {
      int next = bytes[from + i] & 255;
      // The second byte also rules out overlong forms, surrogates and what is above U+10FFFF.
      int low = i > 1 ? 0x80 : first == (byte) 0xE0 ? 0xA0 : first == (byte) 0xF0 ? 0x90 : 0x80;
      int high = i > 1 ? 0xBF : first == (byte) 0xED ? 0x9F : first == (byte) 0xF4 ? 0x8F : 0xBF;
      if (next < low || next > high) {
        return -1;
      }
    }
    return from + length <= to ? length : 0;
  }

  /** The character that the bytes are. */
  static int codePoint(byte[] bytes, int from, int length) {
    if (length == 1) {
      return bytes[from];
    }
    int value = bytes[from] & 0x7F >> length;
    for (int i = 1; i < length; i++) {
      value = value << 6 | bytes[from + i] & 0x3F;
    }
    return value;
  }

  /**
   * Decodes bytes, the whole of a run of byte tokens.
   *
   * @param out receives at most one UTF-16 unit per byte
   * @param at where to write in {@code out}
   * @return behind the last unit written
   */
  static int decode(byte[] bytes, int from, int to, char[] out, int at) {
    int end = at;
    for (int i = from; i < to; ) {
      int length = length(bytes, i, to);
      if (length <= 0) {
        out[end++] = '\uFFFD';
        i++;
      } else {
        end += Character.toChars(codePoint(bytes, i, length), out, end);
        i += length;
      }
    }
    return end;
  }
}
