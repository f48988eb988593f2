package dev.llama.tiktoken;

import java.util.Arrays;

/**
 * From a pair of neighbouring tokens to the merge that joins them. Open addressing with linear
 * probing, at most 60 % full; the pair and its rank share one word. Immutable once built.
 */
final class MergeTable {
  /** What {@link #rank} returns for a pair that is not merged: later than every rank. */
  static final int NONE = Integer.MAX_VALUE;

  /** Ids are smaller. */
  static final int MAX_IDS = 1 << 20;

  /** Ranks are smaller. */
  static final int MAX_MERGES = (1 << 24) - 1;

  private static final int ID_BITS = 20;
  private static final int RANK_BITS = 24;
  private static final int RANK_MASK = (1 << RANK_BITS) - 1;
  private static final long MIX = 0x9E3779B97F4A7C15L;

  /** An entry is left id, right id, rank; the rank of all ones does not occur. */
  private static final long FREE = -1;

  private final int[] results; // by rank: the id of the joined token
  private long[] slots;
  private int shift;
  private int size;

  /**
   * Creates an empty table.
   *
   * @param results by rank: the id of the joined token
   * @param expected about how many pairs there are; more may be put in
   */
  MergeTable(int[] results, int expected) {
    this.results = results;
    allocate(Long.SIZE - Long.numberOfLeadingZeros(Math.max(5L * expected / 3, 1)));
  }

  private void allocate(int bits) {
    slots = new long[1 << bits];
    Arrays.fill(slots, FREE);
    shift = 64 - bits;
    size = 0;
  }

  /** Adds a pair; if it is there already, the new rank holds. */
  void put(int left, int right, int rank) {
    if (5L * (size + 1) > 3L * slots.length) {
      long[] old = slots;
      allocate(64 - shift + 1);
      for (long entry : old) {
        if (entry != FREE) {
          insert(entry);
        }
      }
    }
    insert(pair(left, right) << RANK_BITS | rank);
  }

  private void insert(long entry) {
    int slot = slot(entry >>> RANK_BITS);
    while (slots[slot] != FREE && slots[slot] >>> RANK_BITS != entry >>> RANK_BITS) {
      slot = slot + 1 & slots.length - 1;
    }
    size += slots[slot] == FREE ? 1 : 0;
    slots[slot] = entry;
  }

  /** Returns the rank of a pair, the lower the earlier it is merged, or {@link #NONE}. */
  int rank(int left, int right) {
    long[] table = slots;
    long pair = pair(left, right);
    int slot = slot(pair);
    while (true) {
      long entry = table[slot];
      if (entry >>> RANK_BITS == pair) {
        return (int) entry & RANK_MASK;
      }
      if (entry == FREE) {
        return NONE;
      }
      slot = slot + 1 & table.length - 1;
    }
  }

  /** Returns the id of the token that the merge of a rank makes. */
  int result(int rank) {
    return results[rank];
  }

  private static long pair(int left, int right) {
    return (long) left << ID_BITS | right;
  }

  private int slot(long pair) {
    return (int) (pair * MIX >>> shift);
  }
}
