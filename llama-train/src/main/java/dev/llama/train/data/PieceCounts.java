package dev.llama.train.data;

import dev.llama.TrainingException;
import java.util.Arrays;

/** How often each piece of text occurs: an open-addressing hash table over bytes in one pool. */
final class PieceCounts {
  private static final int FIRST_SLOTS = 1 << 16;

  /** A boundary byte for each piece included. */
  private static final long MOST_BYTES = Integer.MAX_VALUE - 16L;

  private byte[] pool = new byte[1 << 20];
  private int poolSize;
  private int[] starts = new int[FIRST_SLOTS / 2 + 1]; // starts[size] is the end of the last one
  private long[] counts = new long[FIRST_SLOTS / 2];
  private int size;
  private int[] slots = new int[FIRST_SLOTS]; // number of the piece + 1, 0 if free

  /** Counts one occurrence. */
  void add(byte[] bytes, int from, int to) {
    int hash = hash(bytes, from, to);
    int slot = find(bytes, from, to, hash);
    if (slots[slot] == 0) {
      append(bytes, from, to);
      slots[slot] = size;
      if (2L * size >= slots.length) {
        grow();
      }
      counts[size - 1] = 1;
    } else {
      counts[slots[slot] - 1]++;
    }
  }

  /** Returns the number of different pieces. */
  int size() {
    return size;
  }

  /** Returns how often a piece occurs. */
  long count(int piece) {
    return counts[piece];
  }

  /**
   * Returns where a piece begins in {@link #pool}; that of {@link #size()} is where the last ends.
   */
  int start(int piece) {
    return starts[piece];
  }

  /** Returns the bytes of all pieces. */
  byte[] pool() {
    return pool;
  }

  private int find(byte[] bytes, int from, int to, int hash) {
    int mask = slots.length - 1;
    int slot = hash & mask;
    while (slots[slot] != 0) {
      int piece = slots[slot] - 1;
      if (Arrays.equals(pool, starts[piece], starts[piece + 1], bytes, from, to)) {
        break;
      }
      slot = slot + 1 & mask;
    }
    return slot;
  }

  private void append(byte[] bytes, int from, int to) {
    int length = to - from;
    if (length + 1L > MOST_BYTES - poolSize - size) {
      throw new TrainingException(
          "more than 2^31 bytes of different pieces of text to train a vocabulary on; take a"
              + " sample of the files");
    }
    if (length > pool.length - poolSize) {
      pool = Arrays.copyOf(pool, Math.max(poolSize + length, enlarged(pool.length)));
    }
    if (size == counts.length) {
      counts = Arrays.copyOf(counts, enlarged(size));
      starts = Arrays.copyOf(starts, counts.length + 1);
    }
    System.arraycopy(bytes, from, pool, poolSize, length);
    starts[size] = poolSize;
    poolSize += length;
    size++;
    starts[size] = poolSize;
  }

  private static int enlarged(int length) {
    return (int) Math.min(MOST_BYTES, length + (length >> 1) + 16L);
  }

  private void grow() {
    slots = new int[2 * slots.length];
    int mask = slots.length - 1;
    for (int piece = 0; piece < size; piece++) {
      int slot = hash(pool, starts[piece], starts[piece + 1]) & mask;
      while (slots[slot] != 0) {
        slot = slot + 1 & mask;
      }
      slots[slot] = piece + 1;
    }
  }

  private static int hash(byte[] bytes, int from, int to) {
    int hash = 0;
    for (int i = from; i < to; i++) {
      hash = 31 * hash + bytes[i];
    }
    return hash * 0x9E3779B9 >>> 7 ^ hash;
  }
}
