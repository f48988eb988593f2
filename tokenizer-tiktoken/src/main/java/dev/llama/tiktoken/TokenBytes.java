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

  /**
   * [ids] A token of up to seven bytes, nearly all that occur in text: its bytes, little-endian,
   * and its length in the highest byte. Otherwise 0.
   */
  private final long[] head;

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
      long length = length(id);
      if (length > 0 && length < 8) {
        head[id] = length << 56 | words.getLong(start[id]) & (1L << 8 * length) - 1;
      }
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
    Joined joined = new Joined((int) Math.min(64 + 5L * ids.length, MAX_LENGTH));
    for (int i = 0; i < ids.length; i++) {
      i = joinShort(ids, i, joined);
      if (i < ids.length) {
        append(ids[i], joined);
      }
    }
    return joined;
  }

  /**
   * Joins short tokens, eight bytes at a time: what is too much is overwritten by the next token.
   *
   * @return the index of the first token that is not short, not there, or has no room
   */
  private int joinShort(int[] ids, int from, Joined joined) {
    ByteBuffer out = Utf8.words(joined.bytes);
    int room = joined.bytes.length - 8;
    int at = joined.length;
    int i = from;
    for (; i < ids.length && at <= room; i++) {
      int id = ids[i];
      long first = id >= 0 && id < head.length ? head[id] : 0;
      if (first == 0) {
        break;
      }
      out.putLong(at, first);
      at += (int) (first >>> 56);
    }
    joined.length = at;
    return i;
  }

  private void append(int id, Joined joined) {
    check(id);
    int length = length(id);
    joined.reserve(length + 8);
    System.arraycopy(pool, start[id], joined.bytes, joined.length, length);
    joined.length += length;
  }

  /** Bytes of which the first {@code length} count. */
  static final class Joined {
    byte[] bytes;
    int length;

    private Joined(int capacity) {
      bytes = new byte[capacity];
    }

    private void reserve(int more) {
      long needed = (long) length + more;
      if (needed > MAX_LENGTH) {
        throw new InvalidInputException(
            "the tokens stand for more than " + MAX_LENGTH + " bytes; decode them in parts");
      }
      if (needed > bytes.length) {
        bytes = Arrays.copyOf(bytes, (int) Math.min(needed + (length >> 1), MAX_LENGTH));
      }
    }
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
