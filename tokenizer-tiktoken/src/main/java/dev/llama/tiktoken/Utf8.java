package dev.llama.tiktoken;

import dev.llama.InvalidInputException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * UTF-8 to and from text. Broken bytes become U+FFFD as the WHATWG encoding standard has it, one
 * for each maximal subpart; the decoders of JDK and Android differ from it, and from each other, in
 * surrogates.
 */
final class Utf8 {
  /** Bytes after the end of a text that may be read, so that eight can be loaded anywhere in it. */
  static final int PADDING = 8;

  private static final byte[] REPLACEMENT = {(byte) 0xEF, (byte) 0xBF, (byte) 0xBD};

  /** Characters that are encoded at a time. */
  private static final int CHUNK = 1024;

  private static final int REPAIR_BUFFER = 1024;
  private static final long HIGH_BITS = 0x8080808080808080L;

  private Utf8() {}

  /** Text as UTF-8: the first {@code length} bytes, then {@link #PADDING} more. */
  static final class Text {
    final byte[] bytes;
    final ByteBuffer words; // the bytes, little-endian
    final int length;

    Text(byte[] bytes, int length) {
      this.bytes = bytes;
      this.words = words(bytes);
      this.length = length;
    }
  }

  /** Encodes text; an unpaired surrogate becomes U+FFFD. */
  static Text encode(CharSequence sequence) {
    String text = sequence.toString();
    int chars = text.length();
    char[] chunk = new char[Math.min(chars, CHUNK)];
    byte[] bytes = new byte[capacity(chars + 2L * chunk.length)];
    int at = 0;
    for (int done = 0; done < chars; ) {
      int count = Math.min(chars - done, CHUNK);
      text.getChars(done, done + count, chunk, 0);
      if (count > 1 && done + count < chars && Character.isHighSurrogate(chunk[count - 1])) {
        count--; // its other half is in the next chunk
      }
      if (bytes.length - PADDING - at < 3 * count) {
        bytes = Arrays.copyOf(bytes, capacity(at + encodedLength(text, done) + 2 * CHUNK));
      }
      at = encode(chunk, count, bytes, at);
      done += count;
    }
    return new Text(bytes, at);
  }

  private static int capacity(long length) {
    if (length > Integer.MAX_VALUE - 2 * PADDING) {
      throw new InvalidInputException(
          "a text of "
              + length
              + " bytes of UTF-8 is too long to encode at once, the limit is "
              + (Integer.MAX_VALUE - 2 * PADDING)
              + "; encode it in parts");
    }
    return (int) length + PADDING;
  }

  /**
   * Returns a bound of the number of bytes of the rest of a text; a surrogate counts as 3, whether
   * paired or not.
   */
  private static long encodedLength(String text, int from) {
    long length = 0;
    for (int i = from, end = text.length(); i < end; i++) {
      char c = text.charAt(i);
      length += c < 0x80 ? 1 : c < 0x800 ? 2 : 3;
    }
    return length;
  }

  /** Encodes characters to bytes from an index on; returns the index after them. */
  private static int encode(char[] chars, int count, byte[] bytes, int start) {
    int at = start;
    int i = 0;
    while (i < count) {
      char c = chars[i];
      if (c < 0x80) {
        bytes[at++] = (byte) c;
      } else if (c < 0x800) {
        bytes[at++] = (byte) (0xC0 | c >> 6);
        bytes[at++] = (byte) (0x80 | c & 0x3F);
      } else if (isPair(chars, i, count)) {
        int cp = Character.toCodePoint(c, chars[i + 1]);
        i++;
        bytes[at++] = (byte) (0xF0 | cp >> 18);
        bytes[at++] = (byte) (0x80 | cp >> 12 & 0x3F);
        bytes[at++] = (byte) (0x80 | cp >> 6 & 0x3F);
        bytes[at++] = (byte) (0x80 | cp & 0x3F);
      } else {
        char valid = Character.isSurrogate(c) ? '\uFFFD' : c;
        bytes[at++] = (byte) (0xE0 | valid >> 12);
        bytes[at++] = (byte) (0x80 | valid >> 6 & 0x3F);
        bytes[at++] = (byte) (0x80 | valid & 0x3F);
      }
      i++;
    }
    return at;
  }

  private static boolean isPair(char[] chars, int i, int count) {
    return Character.isHighSurrogate(chars[i])
        && i + 1 < count
        && Character.isLowSurrogate(chars[i + 1]);
  }

  /** Returns the code point at an index of well-formed UTF-8. */
  static int codePoint(byte[] utf8, int index) {
    int b = utf8[index];
    if (b >= 0) {
      return b;
    }
    int b1 = utf8[index + 1] & 0x3F;
    if (b < (byte) 0xE0) {
      return (b & 0x1F) << 6 | b1;
    }
    int b2 = utf8[index + 2] & 0x3F;
    if (b < (byte) 0xF0) {
      return (b & 0x0F) << 12 | b1 << 6 | b2;
    }
    return (b & 0x07) << 18 | b1 << 12 | b2 << 6 | utf8[index + 3] & 0x3F;
  }

  /** Returns the number of bytes of a character of well-formed UTF-8, by its first byte. */
  static int width(byte lead) {
    return lead >= 0 ? 1 : lead < (byte) 0xE0 ? 2 : lead < (byte) 0xF0 ? 3 : 4;
  }

  /** Views bytes as little-endian words, for loads of eight bytes at any index. */
  static ByteBuffer words(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Decodes the first {@code length} bytes. */
  static String decode(byte[] bytes, int length) {
    String text = new String(bytes, 0, length, StandardCharsets.UTF_8);
    // Only where something is broken do decoders differ.
    return text.indexOf('\uFFFD') < 0 || isWellFormed(bytes, length) ? text : repair(bytes, length);
  }

  private static boolean isWellFormed(byte[] bytes, int length) {
    ByteBuffer words = words(bytes);
    for (int i = 0; i < length; ) {
      boolean ascii = i + 8 <= length && (words.getLong(i) & HIGH_BITS) == 0;
      int width = ascii ? 8 : sequence(bytes, i, length);
      if (width < 0) {
        return false;
      }
      i += width;
    }
    return true;
  }

  private static String repair(byte[] bytes, int length) {
    StringBuilder text = new StringBuilder(length);
    byte[] valid = new byte[REPAIR_BUFFER];
    int at = 0;
    int i = 0;
    while (i < length) {
      if (at + 4 > valid.length) {
        text.append(new String(valid, 0, at, StandardCharsets.UTF_8));
        at = 0;
      }
      int width = sequence(bytes, i, length);
      byte[] from = width < 0 ? REPLACEMENT : bytes;
      int start = width < 0 ? 0 : i;
      int count = width < 0 ? REPLACEMENT.length : width;
      for (int k = 0; k < count; k++) {
        valid[at++] = from[start + k];
      }
      i += Math.abs(width);
    }
    return text.append(new String(valid, 0, at, StandardCharsets.UTF_8)).toString();
  }

  /**
   * Returns how many of the first {@code length} bytes can be decoded without waiting for more: all
   * but a character at the end whose bytes so far are right but not yet all there.
   */
  static int completeLength(byte[] bytes, int length) {
    for (int i = length - 1; i >= Math.max(length - 3, 0); i--) {
      int b = bytes[i] & 0xFF;
      if (b >= 0xC0) {
        boolean unfinished = b >= 0xC2 && b <= 0xF4 && -sequence(bytes, i, length) == length - i;
        return unfinished ? i : length;
      }
      if (b < 0x80) {
        break;
      }
    }
    return length;
  }

  /**
   * Measures what starts at an index.
   *
   * @return the number of bytes of a well-formed character, or, negative, the number of bytes that
   *     one U+FFFD stands for: a prefix of a well-formed character that the next byte, or the end,
   *     breaks off; at least one byte
   */
  private static int sequence(byte[] bytes, int i, int end) {
    int lead = bytes[i] & 0xFF;
    if (lead < 0x80) {
      return 1;
    }
    if (lead < 0xC2 || lead > 0xF4) {
      return -1;
    }
    int width = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    // The second byte is what rules out overlong forms, surrogates and values above 0x10FFFF.
    int low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    int high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    for (int k = 1; k < width; k++) {
      int b = i + k < end ? bytes[i + k] & 0xFF : -1;
      if (b < low || b > high) {
        return -k;
      }
      low = 0x80;
      high = 0xBF;
    }
    return width;
  }
}
