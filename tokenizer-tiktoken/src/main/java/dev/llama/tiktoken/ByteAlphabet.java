package dev.llama.tiktoken;

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
    byte[] bytes = new byte[text.length()];
    for (int i = 0; i < bytes.length; i++) {
      char c = text.charAt(i);
      int b = c < BYTES.length ? BYTES[c] : -1;
      if (b < 0) {
        return null;
      }
      bytes[i] = (byte) b;
    }
    return bytes;
  }
}
