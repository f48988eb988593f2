package dev.llama.tiktoken;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Encodes one text, piece by piece: collects the ids and owns the scratch memory. For one thread.
 *
 * <p>A piece that is a token is one look-up. Any other piece is merged from its bytes: always the
 * pair of the lowest rank, the leftmost of equals. Short pieces scan an array for it, long ones
 * keep a heap, so that a piece of n bytes costs O(n log n).
 */
final class PieceEncoder implements Splitter.Pieces {
  /** Up to this many bytes, scanning an array beats a heap. */
  private static final int SHORT_PIECE = 96;

  /** A text from this length on remembers how it encoded pieces. */
  private static final int CACHE_FROM_LENGTH = 8192;

  private final BytePairs pairs;
  private final Utf8.Text text;
  private final ByteBuffer words;
  private int[] ids;
  private int size;

  private int[] parts; // ids of a short piece's parts
  private int[] ranks; // ranks[i]: of the pair of parts i and i + 1

  private final PieceCache cache; // null if the text is short

  PieceEncoder(BytePairs pairs, Utf8.Text text) {
    this.pairs = pairs;
    this.text = text;
    this.words = text.words;
    this.ids = new int[text.length / 3 + 16];
    this.cache = text.length < CACHE_FROM_LENGTH ? null : new PieceCache();
  }

  /** Returns the ids so far. */
  int[] ids() {
    return Arrays.copyOf(ids, size);
  }

  /** Returns the number of ids so far. */
  int size() {
    return size;
  }

  /** Returns the id at an index below {@link #size()}. */
  int id(int index) {
    return ids[index];
  }

  /** Appends a token as it is. */
  void append(int id) {
    if (size == ids.length) {
      ids = Arrays.copyOf(ids, size + (size >> 1) + 16);
    }
    ids[size++] = id;
  }

  /** Appends all ids of another encoder. */
  void appendAll(PieceEncoder other) {
    for (int i = 0; i < other.size; i++) {
      append(other.ids[i]);
    }
  }

  /** Encodes the piece of text between two byte indices; an empty one gives nothing. */
  @Override
  public void encode(int from, int to) {
    if (from == to) {
      return;
    }
    int id = pairs.wholePieces().find(words, from, to - from);
    if (id >= 0) {
      append(id);
    } else {
      merge(from, to - from);
    }
  }

  private void merge(int from, int length) {
    if (length > SHORT_PIECE) {
      LongPiece.encode(pairs, text.bytes, from, length, this);
    } else if (cache == null || length > PieceCache.MAX_LENGTH) {
      mergeShort(from, length);
    } else {
      int entry = cache.entry(words, from, length);
      int count = cache.count(entry);
      if (count > 0) {
        for (int i = 0; i < count; i++) {
          append(cache.id(entry, i));
        }
      } else {
        int start = size;
        mergeShort(from, length);
        cache.put(entry, ids, start, size - start);
      }
    }
  }

  private void mergeShort(int from, int length) {
    if (parts == null) {
      parts = new int[SHORT_PIECE];
      ranks = new int[SHORT_PIECE];
    }
    byte[] bytes = text.bytes;
    int count = length;
    for (int i = 0; i < count; i++) {
      parts[i] = pairs.ofByte(bytes[from + i]);
    }
    for (int i = 0; i < count - 1; i++) {
      ranks[i] = pairs.rank(bytes[from + i], bytes[from + i + 1]);
    }
    while (count > 1) {
      int best = 0;
      int bestRank = ranks[0];
      for (int i = 1; i < count - 1; i++) {
        if (ranks[i] < bestRank) {
          best = i;
          bestRank = ranks[i];
        }
      }
      if (bestRank == MergeTable.NONE) {
        break;
      }
      count--;
      join(best, bestRank, count);
    }
    for (int i = 0; i < count; i++) {
      append(parts[i]);
    }
  }

  /** Joins the parts at and after an index; {@code count} parts remain. */
  private void join(int at, int rank, int count) {
    MergeTable merges = pairs.merges();
    int joined = merges.result(rank);
    parts[at] = joined;
    for (int i = at + 1; i < count; i++) {
      parts[i] = parts[i + 1];
      ranks[i - 1] = ranks[i];
    }
    if (at > 0) {
      ranks[at - 1] = merges.rank(parts[at - 1], joined);
    }
    if (at < count - 1) {
      ranks[at] = merges.rank(joined, parts[at + 1]);
    }
  }
}
