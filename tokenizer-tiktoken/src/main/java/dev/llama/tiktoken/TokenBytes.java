package dev.llama.tiktoken;

import dev.llama.InvalidInputException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The bytes of every token, by id. Immutable. */
final class TokenBytes {
  private static final int MAX_LENGTH = Integer.MAX_VALUE - 16;

  /** Bytes of a text that are decoded at a time. */
  private static final int PART = 4096;

  private final byte[] pool; // all tokens, one after the other, and padding
  private final ByteBuffer words; // of the pool
  private final int[] starts; // by id, in the pool
  private final int[] ends; // by id; 0 if it has no token

  /**
   * [ids] A token of up to seven bytes, nearly all that occur in text: its bytes, little-endian,
   * and its length in the highest byte. A longer one: the highest bit, its length and its start.
   * Otherwise 0.
   */
  private final long[] head;

  /**
   * Takes tokens.
   *
   * @param pool the bytes of all tokens, then {@link Utf8#PADDING} more; not to be modified
   * @param starts where each token starts, by id; not to be modified
   * @param ends behind its last byte, by id; 0 where an id has no token; not to be modified
   */
  TokenBytes(byte[] pool, int[] starts, int[] ends) {
    this.pool = pool;
    this.starts = starts;
    this.ends = ends;
    words = Utf8.words(pool);
    head = new long[ends.length];
    for (int id = 0; id < ends.length; id++) {
      head[id] = head(id);
    }
  }

  private long head(int id) {
    long length = length(id);
    if (length == 0) {
      return 0;
    }
    return length < 8
        ? length << 56 | words.getLong(starts[id]) & (1L << 8 * length) - 1
        : Long.MIN_VALUE | length << 32 | starts[id];
  }

  /** Returns the number of ids. */
  int size() {
    return head.length;
  }

  /** Returns where a token starts in {@link #words()}. */
  int start(int id) {
    return starts[id];
  }

  /** Returns the number of bytes of a token. */
  int length(int id) {
    return ends[id] - starts[id];
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
    return Arrays.copyOfRange(pool, starts[id], ends[id]);
  }

  /** Returns the bytes of tokens. */
  byte[] join(int[] ids) {
    Joined joined = new Joined((int) Math.min(64 + 5L * ids.length, MAX_LENGTH));
    for (int i = join(ids, 0, joined); i < ids.length; i = join(ids, i, joined)) {
      check(ids[i]);
      joined.grow(length(ids[i]) + Utf8.PADDING);
    }
    return Arrays.copyOf(joined.bytes, joined.length);
  }

  /**
   * Returns the text of tokens. A long text is made in parts that stay in the cache, and of which
   * most are ASCII, which the runtime copies rather than decodes.
   */
  String text(int[] ids) {
    Joined part = new Joined((int) Math.min(64 + 5L * ids.length, PART));
    int i = join(ids, 0, part);
    if (i == ids.length) {
      return Utf8.decode(part.bytes, part.length);
    }
    List<String> parts = new ArrayList<>();
    long length = 0;
    while (i < ids.length) {
      check(ids[i]);
      length += part.moveTo(parts, Utf8.completeLength(part.bytes, part.length));
      checkLength(length);
      if (length(ids[i]) > part.bytes.length - Utf8.PADDING - part.length) {
        part.grow(length(ids[i]) + Utf8.PADDING);
      }
      i = join(ids, i, part);
    }
    checkLength(length + part.moveTo(parts, part.length));
    // Unlike a StringBuilder, this knows the size of the whole before it copies anything.
    return String.join("", parts);
  }

  /**
   * Joins tokens, short ones as eight bytes: what is too much is overwritten by the next token.
   *
   * @return the index of the first token that is not there or has no room
   */
  private int join(int[] ids, int from, Joined joined) {
    ByteBuffer out = Utf8.words(joined.bytes);
    int room = joined.bytes.length - Utf8.PADDING;
    int at = joined.length;
    int i = from;
    for (; i < ids.length && at <= room; i++) {
      int id = ids[i];
      long first = id >= 0 && id < head.length ? head[id] : 0;
      if (first > 0) {
        out.putLong(at, first);
        at += (int) (first >>> 56);
      } else {
        int length = (int) (first >>> 32) & Integer.MAX_VALUE;
        if (first == 0 || length > room - at) {
          break;
        }
        System.arraycopy(pool, (int) first, joined.bytes, at, length);
        at += length;
      }
    }
    joined.length = at;
    return i;
  }

  /** Bytes of which the first {@code length} count. */
  private static final class Joined {
    private byte[] bytes;
    private int length;

    private Joined(int capacity) {
      bytes = new byte[capacity];
    }

    private int moveTo(List<String> parts, int count) {
      String text = Utf8.decode(bytes, count);
      parts.add(text);
      length -= count;
      System.arraycopy(bytes, count, bytes, 0, length);
      return text.length();
    }

    private void grow(int more) {
      long needed = (long) length + more;
      checkLength(needed);
      bytes = Arrays.copyOf(bytes, (int) Math.min(needed + (length >> 1), MAX_LENGTH));
    }
  }

  private static void checkLength(long length) {
    if (length > MAX_LENGTH) {
      throw new InvalidInputException(
          "the tokens stand for more than " + MAX_LENGTH + " bytes; decode them in parts");
    }
  }

  private void check(int id) {
    if (id < 0 || id >= head.length || ends[id] == 0) {
      throw new InvalidInputException(
          "token id "
              + id
              + (id < 0 || id >= head.length ? " is outside" : " is not used in")
              + " the vocabulary, whose size is "
              + head.length);
    }
  }
}
