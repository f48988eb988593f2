package dev.llama.sentencepiece;

import java.util.Arrays;

/**
 * The merge rules: pairs of symbols, with the rank of the merge (lower merges first) and the piece
 * that results. A symbol is a piece's id, or, for a character that is no piece, the complement of
 * its code point. Open addressing; key and value lie side by side to share a cache line.
 */
final class MergeTable {
  /** What {@link #find} returns for a pair that does not merge: the worst rank. */
  static final long NONE = (long) Integer.MAX_VALUE << 32;

  private static final long FREE = Long.MIN_VALUE; // left = 1 << 31: no symbol is that

  private long[] table; // key, value
  private int mask; // over slots
  private int entries;

  MergeTable() {
    allocate(1024);
  }

  private void allocate(int slots) {
    table = new long[2 * slots];
    Arrays.fill(table, FREE);
    mask = slots - 1;
  }

  /** Adds a rule or replaces the one for the same pair. */
  void put(int left, int right, int rank, int result) {
    if (2 * (entries + 1) > mask) {
      long[] old = table;
      allocate(2 * (mask + 1));
      entries = 0;
      for (int i = 0; i < old.length; i += 2) {
        if (old[i] != FREE) {
          insert(old[i], old[i + 1]);
        }
      }
    }
    insert(key(left, right), (long) rank << 32 | result);
  }

  private void insert(long key, long value) {
    int at = slot(key) << 1;
    while (table[at] != FREE && table[at] != key) {
      at = at + 2 & (mask << 1 | 1);
    }
    if (table[at] == FREE) {
      entries++;
    }
    table[at] = key;
    table[at + 1] = value;
  }

  /**
   * Looks a pair up.
   *
   * @return rank in the upper half, resulting piece in the lower half; {@link #NONE} if there is no
   *     rule
   */
  long find(int left, int right) {
    long key = key(left, right);
    int at = slot(key) << 1;
    while (table[at] != key) {
      if (table[at] == FREE) {
        return NONE;
      }
      at = at + 2 & (mask << 1 | 1);
    }
    return table[at + 1];
  }

  private static long key(int left, int right) {
    return (long) left << 32 | right & 0xFFFFFFFFL;
  }

  private int slot(long key) {
    return (int) ((key * 0x9E3779B97F4A7C15L) >>> 32) & mask;
  }
}
