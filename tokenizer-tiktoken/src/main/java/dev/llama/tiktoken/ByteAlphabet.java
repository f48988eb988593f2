package dev.llama.tiktoken;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * The visible characters that stand for bytes in byte-level vocabularies: printable Latin-1 for
 * itself, the other bytes by the characters from U+0100 on.
 */
final class ByteAlphabet {
  private static final char[] CHARS = new char[256];

  /** By character: the byte, or -1. */
  private static final short[] BYTES = new short[512];

  static {
    Arrays.fill(BYTES, (short) -1);
    char next = 0x100;
    for (int b = 0; b < 256; b++) {
      boolean itself = b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE;
      CHARS[b] = itself ? (char) b : next++;
      BYTES[CHARS[b]] = (short) b;
    }
  }

  private ByteAlphabet() {}

  /** Writes bytes in the alphabet. */
  static String write(byte[] bytes) {
    char[] text = new char[bytes.length];
    for (int i = 0; i < text.length; i++) {
      text[i] = CHARS[bytes[i] & 0xFF];
    }
    return new String(text);
  }

  /**
   * Reads bytes written in the alphabet.
   *
   * @return {@code null} if a character is not of the alphabet
   */
  static byte[] read(String text) {
    byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
    int length = read(utf8, 0, utf8.length, utf8, 0);
    return length < 0 ? null : Arrays.copyOf(utf8, length);
  }

  /**
   * Reads bytes written in the alphabet.
   *
   * @param text UTF-8
   * @param from its first byte
   * @param to behind its last byte
   * @param out receives at most as many bytes as the text has; may be {@code text} itself
   * @param start where in {@code out}, at most {@code from} if it is the text
   * @return behind the last byte in {@code out}; -1 if a character is not of the alphabet
   */
  static int read(byte[] text, int from, int to, byte[] out, int start) {
    int at = start;
    int i = from;
    while (i < to) {
      int c = text[i++];
      if (c < 0) {
        boolean two = (c & 0xE0) == 0xC0; // what takes three bytes is not of the alphabet
        c = two ? (c & 0x1F) << 6 | text[i++] & 0x3F : BYTES.length;
      }
      int b = c < BYTES.length ? BYTES[c] : -1;
      if (b < 0) {
        return -1;
      }
      out[at++] = (byte) b;
    }
    return at;
  }
}
