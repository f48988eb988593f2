package dev.llama.tiktoken;

import java.nio.ByteBuffer;
import java.util.BitSet;

/**
 * From the bytes of a token to its id. Open addressing with linear probing, at most half full.
 * Tokens of up to eight bytes, nearly all that occur in text, sit in the table itself. Immutable.
 */
final class TokenTable {
  private static final long MIX = 0x9E3779B97F4A7C15L;

  /** Pairs of the bytes of a token, little-endian, and its length and id; 0 where free. */
  private final long[] shortSlots;

  private final int shortShift;

  /** Pairs of a token's hash and its id + 1; 0 where free. */
  private final int[] longSlots;

  private final int longShift;
  private final TokenBytes tokens;
  private final int duplicate;

  /**
   * Builds a table.
   *
   * @param tokens the bytes of tokens
   * @param members the ids to take in
   */
  TokenTable(TokenBytes tokens, BitSet members) {
    this.tokens = tokens;
    int shorts = 0;
    for (int id = 0; id < members.length(); id++) {
      shorts += members.get(id) && tokens.length(id) <= 8 ? 1 : 0;
    }
    int shortBits = bits(shorts);
    shortSlots = new long[2 << shortBits];
    shortShift = 64 - shortBits;
    int longBits = bits(members.cardinality() - shorts);
    longSlots = new int[2 << longBits];
    longShift = 64 - longBits;
    int twice = -1;
    for (int id = 0; id < members.length() && twice < 0; id++) {
      twice = !members.get(id) || put(id) ? -1 : id;
    }
    duplicate = twice;
  }

  /**
   * Returns a token whose bytes are those of another one; the table is then of no use.
   *
   * @return the id, or -1 if all tokens differ
   */
  int duplicate() {
    return duplicate;
  }

  /** Returns the size of a table of at least twice the entries, as a power of two. */
  private static int bits(int entries) {
    return 64 - Long.numberOfLeadingZeros(Math.max(2L * entries, 2) - 1);
  }

  /** Adds a token; returns false if its bytes are there already. */
  private boolean put(int id) {
    ByteBuffer words = tokens.words();
    int start = tokens.start(id);
    int length = tokens.length(id);
    if (length > 8) {
      return putLong(id, words, start, length);
    }
    long key = key(words, start, length);
    int slot = shortSlot(key, length);
    while (shortSlots[slot + 1] != 0) {
      if (shortSlots[slot] == key && (int) (shortSlots[slot + 1] >>> 32) == length) {
        return false;
      }
      slot = slot + 2 & shortSlots.length - 1;
    }
    shortSlots[slot] = key;
    shortSlots[slot + 1] = (long) length << 32 | id;
    return true;
  }

  private boolean putLong(int id, ByteBuffer words, int start, int length) {
    int hash = longHash(words, start, length);
    int slot = longSlot(hash);
    while (longSlots[slot + 1] != 0) {
      if (longSlots[slot] == hash && equal(longSlots[slot + 1] - 1, words, start, length)) {
        return false;
      }
      slot = slot + 2 & longSlots.length - 1;
    }
    longSlots[slot] = hash;
    longSlots[slot + 1] = id + 1;
    return true;
  }

  /**
   * Looks bytes up.
   *
   * @param words the text, readable {@link Utf8#PADDING} bytes past the end
   * @param from index of the first byte
   * @param length number of bytes, at least 1
   * @return the id, or -1
   */
  int find(ByteBuffer words, int from, int length) {
    if (length > 8) {
      return findLong(words, from, length);
    }
    long key = key(words, from, length);
    int slot = shortSlot(key, length);
    while (true) {
      long entry = shortSlots[slot + 1];
      if (shortSlots[slot] == key && (int) (entry >>> 32) == length) {
        return (int) entry;
      }
      if (entry == 0) {
        return -1;
      }
      slot = slot + 2 & shortSlots.length - 1;
    }
  }

  private int findLong(ByteBuffer words, int from, int length) {
    int hash = longHash(words, from, length);
    int slot = longSlot(hash);
    while (true) {
      int id = longSlots[slot + 1] - 1;
      if (id < 0) {
        return -1;
      }
      if (longSlots[slot] == hash && equal(id, words, from, length)) {
        return id;
      }
      slot = slot + 2 & longSlots.length - 1;
    }
  }

  private boolean equal(int id, ByteBuffer words, int from, int length) {
    if (tokens.length(id) != length) {
      return false;
    }
    int start = tokens.start(id);
    int last = length - 8; // nine or more bytes: the last word may overlap
    for (int i = 0; i < last; i += 8) {
      if (tokens.words().getLong(start + i) != words.getLong(from + i)) {
        return false;
      }
    }
    return tokens.words().getLong(start + last) == words.getLong(from + last);
  }

  private static long key(ByteBuffer words, int from, int length) {
    return words.getLong(from) & -1L >>> 64 - 8 * length;
  }

  private int shortSlot(long key, int length) {
    return (int) ((key + length) * MIX >>> shortShift) << 1;
  }

  private int longSlot(int hash) {
    return (int) (hash * MIX >>> longShift) << 1;
  }

  /** Hashes nine or more bytes by words; the last word overlaps the one before it. */
  private static int longHash(ByteBuffer words, int from, int length) {
    long hash = length;
    int last = from + length - 8;
    for (int i = from; i < last; i += 8) {
      hash = (hash ^ words.getLong(i)) * MIX;
      hash ^= hash >>> 32;
    }
    hash = (hash ^ words.getLong(last)) * MIX;
    return (int) (hash >>> 32);
  }
}
