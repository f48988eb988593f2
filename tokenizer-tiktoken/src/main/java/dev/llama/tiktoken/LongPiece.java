package dev.llama.tiktoken;

import java.util.Arrays;

/**
 * The byte-pair merge of one long piece: parts in a linked list, candidate pairs in a binary heap
 * ordered by rank, then position. A candidate that a merge made stale stays in the heap and is
 * recognised when it comes out.
 */
final class LongPiece {
  private final MergeTable merges;
  private final int[] parts; // id of the part that starts at a byte
  private final int[] next; // where the part after it starts; the length of the piece at the end
  private final int[] previous; // where the part before it starts; -1 at the start
  private final int[] ranks; // rank of the pair that starts here; NONE if there is none
  private long[] heap; // rank, position
  private int size;

  private LongPiece(BytePairs pairs, byte[] text, int from, int length) {
    merges = pairs.merges();
    parts = new int[length];
    next = new int[length];
    previous = new int[length];
    ranks = new int[length];
    for (int i = 0; i < length; i++) {
      parts[i] = pairs.ofByte(text[from + i]);
      next[i] = i + 1;
      previous[i] = i - 1;
    }
    heap = new long[length];
    for (int i = 0; i < length; i++) {
      ranks[i] = i + 1 < length ? pairs.rank(text[from + i], text[from + i + 1]) : MergeTable.NONE;
      if (ranks[i] != MergeTable.NONE) {
        heap[size++] = candidate(i);
      }
    }
    for (int i = size / 2 - 1; i >= 0; i--) {
      siftDown(i, heap[i]);
    }
  }

  /** Encodes {@code length} bytes of a text. */
  static void encode(BytePairs pairs, byte[] text, int from, int length, PieceEncoder out) {
    LongPiece piece = new LongPiece(pairs, text, from, length);
    piece.merge();
    for (int i = 0; i < length; i = piece.next[i]) {
      out.append(piece.parts[i]);
    }
  }

  private void merge() {
    while (size > 0) {
      long best = heap[0];
      size--;
      if (size > 0) {
        siftDown(0, heap[size]);
      }
      int at = (int) best;
      int rank = (int) (best >>> 32);
      if (ranks[at] == rank) {
        join(at, rank);
      }
    }
  }

  private void join(int at, int rank) {
    int gone = next[at];
    parts[at] = merges.result(rank);
    next[at] = next[gone];
    if (next[at] < parts.length) {
      previous[next[at]] = at;
    }
    ranks[gone] = MergeTable.NONE;
    update(at);
    if (previous[at] >= 0) {
      update(previous[at]);
    }
  }

  private void update(int at) {
    ranks[at] = rankAt(at);
    if (ranks[at] != MergeTable.NONE) {
      push(candidate(at));
    }
  }

  private int rankAt(int at) {
    return next[at] < parts.length ? merges.rank(parts[at], parts[next[at]]) : MergeTable.NONE;
  }

  private long candidate(int at) {
    return (long) ranks[at] << 32 | at;
  }

  private void push(long candidate) {
    if (size == heap.length) {
      heap = Arrays.copyOf(heap, size + (size >> 1));
    }
    int i = size++;
    while (i > 0 && heap[(i - 1) / 2] > candidate) {
      heap[i] = heap[(i - 1) / 2];
      i = (i - 1) / 2;
    }
    heap[i] = candidate;
  }

  private void siftDown(int hole, long candidate) {
    int i = hole;
    while (2 * i + 1 < size) {
      int child = 2 * i + 1;
      if (child + 1 < size && heap[child + 1] < heap[child]) {
        child++;
      }
      if (heap[child] >= candidate) {
        break;
      }
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = candidate;
  }
}
