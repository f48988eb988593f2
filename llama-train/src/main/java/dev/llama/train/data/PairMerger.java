package dev.llama.train.data;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;

/**
 * Byte-pair encoding as a compression: merges the most frequent pair of neighbouring tokens, again
 * and again (Sennrich, Haddow and Birch, 2016). Of equally frequent pairs the one with the lower
 * left id comes first, then that with the lower right id.
 *
 * <p>For every pair it is known how often it occurs, and where; a merge changes only the pairs next
 * to these places. A heap holds the candidates; an entry whose count has fallen since is corrected
 * when it comes up.
 */
final class PairMerger {
  /** Between two pieces. */
  private static final int BOUNDARY = -1;

  /** Inside a token. */
  private static final int INSIDE = -2;

  // A token's id is at its first and its last byte, so that both neighbours can be found.
  private final int[] symbols;
  private final int[] weights; // weights[i]: how often the piece occurs that byte i is part of
  private final List<byte[]> tokens = new ArrayList<>();
  private final Map<Text, Integer> ids = new HashMap<>();
  private final Map<Long, Pair> pairs = new HashMap<>();
  private final PriorityQueue<Candidate> heap = new PriorityQueue<>();
  private final Set<Pair> risen =
      new HashSet<>(); // pairs that the present merge made more frequent

  /** A pair of neighbouring tokens. */
  private static final class Pair {
    final int left;
    final int right;
    long count;
    int[] places = new int[4]; // where it begins; some may have gone
    int size;

    Pair(int left, int right) {
      this.left = left;
      this.right = right;
    }

    void add(int place) {
      if (size == places.length) {
        places = Arrays.copyOf(places, size + (size >> 1) + 1);
      }
      places[size++] = place;
    }
  }

  /** A pair in the heap, with the count that it had. */
  private record Candidate(long count, int left, int right) implements Comparable<Candidate> {
    @Override
    public int compareTo(Candidate other) {
      int byCount = Long.compare(other.count, count);
      int byLeft = byCount != 0 ? byCount : Integer.compare(left, other.left);
      return byLeft != 0 ? byLeft : Integer.compare(right, other.right);
    }
  }

  /** A token's bytes as a key. */
  private record Text(byte[] bytes) {
    @Override
    public boolean equals(Object other) {
      return other instanceof Text text && Arrays.equals(bytes, text.bytes);
    }

    @Override
    public int hashCode() {
      return Arrays.hashCode(bytes);
    }
  }

  /** Starts with the single bytes as tokens. */
  PairMerger(PieceCounts pieces) {
    for (int b = 0; b < 256; b++) {
      addToken(new byte[] {(byte) b});
    }
    int count = pieces.size();
    symbols = new int[pieces.start(count) + count + 1];
    weights = new int[symbols.length];
    symbols[0] = BOUNDARY;
    int at = 1;
    for (int piece = 0; piece < count; piece++) {
      int weight = (int) Math.min(pieces.count(piece), Integer.MAX_VALUE);
      for (int i = pieces.start(piece); i < pieces.start(piece + 1); i++) {
        symbols[at] = pieces.pool()[i] & 0xFF;
        weights[at++] = weight;
      }
      symbols[at++] = BOUNDARY;
    }
    for (int i = 1; i + 1 < symbols.length; i++) {
      if (symbols[i] >= 0 && symbols[i + 1] >= 0) {
        form(symbols[i], symbols[i + 1], i);
      }
    }
    pushRisen();
  }

  private int addToken(byte[] bytes) {
    int id = tokens.size();
    tokens.add(bytes);
    ids.put(new Text(bytes), id);
    return id;
  }

  /** Returns the tokens so far, by id. */
  List<byte[]> tokens() {
    return tokens;
  }

  /**
   * Merges the most frequent pair.
   *
   * @param minimum how often it has to occur
   * @param maxBytes longest token that may come of it
   * @return false if there is none left
   */
  boolean merge(long minimum, int maxBytes) {
    Pair best;
    do {
      best = mostFrequent();
      if (best == null || best.count < minimum) {
        return false;
      }
    } while (length(best.left) + length(best.right) > maxBytes);
    byte[] bytes = Arrays.copyOf(tokens.get(best.left), length(best.left) + length(best.right));
    System.arraycopy(tokens.get(best.right), 0, bytes, length(best.left), length(best.right));
    // Two pairs may stand for the same bytes. The second one becomes the token of the first.
    Integer known = ids.get(new Text(bytes));
    replace(best, known != null ? known : addToken(bytes));
    pushRisen();
    return true;
  }

  private Pair mostFrequent() {
    while (!heap.isEmpty()) {
      Candidate top = heap.poll();
      Pair pair = pairs.get(key(top.left(), top.right()));
      if (pair != null && pair.count == top.count()) {
        return pair;
      }
      if (pair != null && pair.count > 0 && pair.count < top.count()) {
        heap.add(new Candidate(pair.count, pair.left, pair.right));
      }
    }
    return null;
  }

  /** Puts one token in the place of a pair, everywhere. */
  private void replace(Pair pair, int id) {
    int leftLength = length(pair.left);
    int total = leftLength + length(pair.right);
    // In a run of the same token the first two are merged, then the next two.
    Arrays.sort(pair.places, 0, pair.size);
    for (int i = 0; i < pair.size; i++) {
      int start = pair.places[i];
      int middle = start + leftLength;
      if (symbols[start] != pair.left || symbols[middle] != pair.right) {
        continue; // one of the two has become part of another token
      }
      int end = start + total;
      int before = symbols[start - 1];
      int after = symbols[end];
      if (before >= 0) {
        dissolve(before, pair.left, start);
      }
      if (after >= 0) {
        dissolve(pair.right, after, start);
      }
      symbols[middle - 1] = INSIDE;
      symbols[middle] = INSIDE;
      symbols[start] = id;
      symbols[end - 1] = id;
      if (before >= 0) {
        form(before, id, start - length(before));
      }
      if (after >= 0) {
        form(id, after, start);
      }
    }
    pairs.remove(key(pair.left, pair.right));
    risen.remove(pair);
  }

  private void dissolve(int left, int right, int at) {
    Pair pair = pairs.get(key(left, right));
    pair.count -= weights[at];
  }

  private void form(int left, int right, int start) {
    Pair pair = pairs.computeIfAbsent(key(left, right), k -> new Pair(left, right));
    pair.count += weights[start];
    pair.add(start);
    risen.add(pair);
  }

  private void pushRisen() {
    for (Pair pair : risen) {
      heap.add(new Candidate(pair.count, pair.left, pair.right));
    }
    risen.clear();
  }

  private int length(int id) {
    return tokens.get(id).length;
  }

  private static long key(int left, int right) {
    return (long) left << 32 | right;
  }
}
