package dev.llama.tiktoken;

import java.nio.ByteBuffer;

/**
 * Remembers the ids of pieces that had to be merged; in text, most of these recur. Direct-mapped,
 * one cache line for each piece. For one thread.
 */
final class PieceCache {
  /** Bytes of the longest piece that fits. */
  static final int MAX_LENGTH = 16;

  private static final int BITS = 10;

  /** Ints of an entry: the piece in the first four, its length, the number of ids, the ids. */
  private static final int ENTRY = 16;

  private static final int LENGTH = 4;
  private static final int COUNT = 5;
  private static final int IDS = 6;
  private static final long MIX = 0x9E3779B97F4A7C15L;

  private final int[] entries = new int[ENTRY << BITS];

  /**
   * Returns the entry for a piece; what another piece left in it is cleared.
   *
   * @param words the text
   * @param from index of the first byte
   * @param length number of bytes, 1 to {@link #MAX_LENGTH}
   */
  int entry(ByteBuffer words, int from, int length) {
    long first = words.getLong(from);
    long second = 0;
    if (length <= 8) {
      first &= -1L >>> 64 - 8 * length;
    } else {
      second = words.getLong(from + length - 8); // may overlap
    }
    int entry = (int) ((first * MIX ^ second + length) * MIX >>> 64 - BITS) * ENTRY;
    boolean same =
        entries[entry] == (int) first
            && entries[entry + 1] == (int) (first >>> 32)
            && entries[entry + 2] == (int) second
            && entries[entry + 3] == (int) (second >>> 32)
            && entries[entry + LENGTH] == length;
    if (!same) {
      entries[entry] = (int) first;
      entries[entry + 1] = (int) (first >>> 32);
      entries[entry + 2] = (int) second;
      entries[entry + 3] = (int) (second >>> 32);
      entries[entry + LENGTH] = length;
      entries[entry + COUNT] = 0;
    }
    return entry;
  }

  /** Returns the number of ids in an entry, 0 if they are not known. */
  int count(int entry) {
    return entries[entry + COUNT];
  }

  /** Returns one of the ids in an entry. */
  int id(int entry, int index) {
    return entries[entry + IDS + index];
  }

  /** Keeps the ids of the piece that the entry is for, unless they are too many. */
  void put(int entry, int[] ids, int start, int count) {
    if (count <= ENTRY - IDS) {
      System.arraycopy(ids, start, entries, entry + IDS, count);
      entries[entry + COUNT] = count;
    }
  }
}
