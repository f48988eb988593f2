package dev.llama.sentencepiece;

import java.util.Arrays;

/**
 * The working memory of one encoding: merges the symbols of a chunk of text, best rank first and
 * leftmost among equals. Not for several threads.
 */
final class Merger {
  /** Up to here a scan over all pairs beats a heap. */
  private static final int SMALL = 40;

  private static final int NEVER = Integer.MAX_VALUE;

  private final MergeTable merges;

  /** The symbols: first of the chunk, then those that are left. */
  int[] symbols = new int[64];

  private int[] ranks = new int[64]; // of merging a symbol with its successor
  private int[] results = new int[64];
  private int[] next = new int[0];
  private int[] previous = new int[0];
  private long[] heap = new long[0]; // rank << 32 | index of the left symbol
  private int heapSize;

  Merger(MergeTable merges) {
    this.merges = merges;
  }

  /** Makes room in {@link #symbols}. */
  void require(int count) {
    if (count > symbols.length) {
      int capacity = (int) Math.min(Integer.MAX_VALUE - 8, Math.max(count, 2L * symbols.length));
      symbols = Arrays.copyOf(symbols, capacity);
      ranks = new int[capacity];
      results = new int[capacity];
    }
  }

  /**
   * Merges until no pair has a rule.
   *
   * @param count how many of {@link #symbols} there are
   * @return how many are left
   */
  int merge(int count) {
    for (int i = 0; i + 1 < count; i++) {
      rate(i, i + 1);
    }
    return count <= SMALL ? mergeSmall(count) : mergeLarge(count);
  }

  private void rate(int left, int right) {
    long rule = merges.find(symbols[left], symbols[right]);
    results[left] = (int) rule;
    ranks[left] = (int) (rule >> 32);
  }

  private int mergeSmall(int count) {
    int[] rank = ranks;
    int[] symbol = symbols;
    int[] result = results;
    int n = count;
    while (n > 1) {
      int best = NEVER;
      int at = -1;
      for (int i = 0; i < n - 1; i++) {
        if (rank[i] < best) {
          best = rank[i];
          at = i;
        }
      }
      if (at < 0) {
        break;
      }
      symbol[at] = result[at];
      n--;
      for (int i = at + 1; i < n; i++) {
        symbol[i] = symbol[i + 1];
        rank[i] = rank[i + 1];
        result[i] = result[i + 1];
      }
      if (at > 0) {
        rate(at - 1, at);
      }
      if (at < n - 1) {
        rate(at, at + 1);
      }
    }
    return n;
  }

  /** Symbols stay where they are, linked to their neighbours; outdated heap entries are skipped. */
  private int mergeLarge(int count) {
    if (next.length < count) {
      next = new int[symbols.length];
      previous = new int[symbols.length];
    }
    heapSize = 0;
    if (heap.length < count) {
      heap = new long[symbols.length];
    }
    for (int i = 0; i < count; i++) {
      next[i] = i + 1;
      previous[i] = i - 1;
      if (i + 1 < count && ranks[i] != NEVER) {
        heap[heapSize++] = entry(i);
      }
    }
    next[count - 1] = -1;
    ranks[count - 1] = NEVER;
    for (int i = heapSize / 2 - 1; i >= 0; i--) {
      siftDown(i);
    }
    while (heapSize > 0) {
      int left = (int) heap[0];
      // An entry counts only while its symbol still has that rank: then it says what is to be done,
      // even if it was made for a pair that is gone.
      boolean current = ranks[left] == (int) (heap[0] >> 32);
      if (current) {
        join(left);
      }
      heap[0] = current && ranks[left] != NEVER ? entry(left) : heap[--heapSize];
      siftDown(0);
      if (current && previous[left] >= 0 && ranks[previous[left]] != NEVER) {
        push(entry(previous[left]));
      }
    }
    int n = 0;
    for (int i = 0; i >= 0; i = next[i]) {
      symbols[n++] = symbols[i];
    }
    return n;
  }

  /** Merges a symbol with its successor and rates the two new pairs. */
  private void join(int left) {
    int right = next[left];
    int after = next[right];
    symbols[left] = results[left];
    ranks[right] = NEVER;
    ranks[left] = NEVER;
    next[left] = after;
    if (previous[left] >= 0) {
      rate(previous[left], left);
    }
    if (after >= 0) {
      previous[after] = left;
      rate(left, after);
    }
  }

  private long entry(int left) {
    return (long) ranks[left] << 32 | left;
  }

  private void push(long entry) {
    if (heapSize == heap.length) {
      heap = Arrays.copyOf(heap, 2 * heap.length);
    }
    int at = heapSize++;
    while (at > 0) {
      int parent = at - 1 >> 1;
      if (heap[parent] <= entry) {
        break;
      }
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = entry;
  }

  private void siftDown(int start) {
    if (start >= heapSize) {
      return;
    }
    long entry = heap[start];
    int at = start;
    while (2 * at + 1 < heapSize) {
      int left = 2 * at + 1;
      int child = left + 1 < heapSize && heap[left + 1] < heap[left] ? left + 1 : left;
      if (heap[child] >= entry) {
        break;
      }
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = entry;
  }
}
