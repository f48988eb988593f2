package dev.llama.tiktoken;

import dev.llama.InvalidInputException;
import java.nio.ByteBuffer;
import java.util.Arrays;

/** The bytes of every token, by id. Immutable. */
final class TokenBytes {
  private static final int MAX_LENGTH = Integer.MAX_VALUE - 16;

  private final byte[] pool; // all tokens, one after the other, and padding
  private final ByteBuffer words; // of the pool
  private final int[] start; // [ids + 1], in the pool; an id without token has no bytes
  private final long[] head; // [ids], the first eight bytes, little-endian

  /**
   * Copies the tokens.
   *
   * @param tokens bytes by id, none empty; {@code null} where an id has no token
   */
  TokenBytes(byte[][] tokens) {
    start = new int[tokens.length + 1];
    for (int id = 0; id < tokens.length; id++) {
      start[id + 1] = start[id] + (tokens[id] == null ? 0 : tokens[id].length);
    }
    pool = new byte[start[tokens.length] + Utf8.PADDING];
    words = Utf8.words(pool);
    for (int id = 0; id < tokens.length; id++) {
      if (tokens[id] != null) {
        System.arraycopy(tokens[id], 0, pool, start[id], tokens[id].length);
      }
    }
    head = new long[tokens.length];
    for (int id = 0; id < tokens.length; id++) {
      head[id] = words.getLong(start[id]);
    }
  }

  /** Returns the number of ids. */
  int size() {
    return head.length;
  }

  /** Returns whether an id from 0 to {@link #size()} has a token. */
  boolean contains(int id) {
    return start[id] != start[id + 1];
  }

  /** Returns where a token starts in {@link #words()}. */
  int start(int id) {
    return start[id];
  }

  /** Returns the number of bytes of a token. */
  int length(int id) {
    return start[id + 1] - start[id];
  }

  /** Returns the bytes of all tokens, readable eight at a time. */
  ByteBuffer words() {
    return words;
  }

  /** Returns the bytes of all tokens as a text; it need not be well-formed. */
  Utf8.Text pool() {
    return new Utf8.Text(pool, pool.length - Utf8.PADDING);
  }

  /** Returns the bytes of one token. */
  byte[] get(int id) {
    check(id);
    return Arrays.copyOfRange(pool, start[id], start[id + 1]);
  }

  /** Joins the bytes of tokens. */
  Joined join(int[] ids) {
    byte[] bytes = new byte[(int) Math.min(16 + 5L * ids.length, MAX_LENGTH)];
    ByteBuffer out = Utf8.words(bytes);
    int at = 0;
    for (int id : ids) {
      check(id);
      int from = start[id];
      int length = start[id + 1] - from;
      if (bytes.length - at < length + 8) {
        bytes = Arrays.copyOf(bytes, grown(at, length + 8));
        out = Utf8.words(bytes);
      }
      if (length <= 8) {
        out.putLong(at, head[id]); // what is too much is overwritten by the next token
      } else {
        System.arraycopy(pool, from, bytes, at, length);
      }
      at += length;
    }
    return new Joined(bytes, at);
  }

  /** Bytes of which the first {@code length} count. */
  record Joined(byte[] bytes, int length) {}

  private static int grown(int size, int more) {
    long needed = (long) size + more;
    if (needed > MAX_LENGTH) {
      throw new InvalidInputException(
          "the tokens stand for more than " + MAX_LENGTH + " bytes; decode them in parts");
    }
    return (int) Math.min(needed + (size >> 1), MAX_LENGTH);
  }

  private void check(int id) {
    if (id < 0 || id >= head.length || start[id] == start[id + 1]) {
      throw new InvalidInputException(
          "token id "
              + id
              + (id < 0 || id >= head.length ? " is outside" : " is not used in")
              + " the vocabulary, whose size is "
              + head.length);
    }
  }
}
