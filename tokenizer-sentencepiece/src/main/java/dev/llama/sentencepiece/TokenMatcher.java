package dev.llama.sentencepiece;

import java.util.Arrays;
import java.util.BitSet;
import java.util.function.IntPredicate;

/**
 * Finds the longest of a set of texts at a place: a trie over UTF-16 units. Immutable once it is
 * filled.
 */
final class TokenMatcher {
  private final BitSet firsts = new BitSet();
  private long[] edges = new long[64]; // (node << 16 | unit) + 1, 0 is free
  private int[] targets = new int[64];
  private int edgeCount;
  private int[] tokens = {-1}; // by node: what ends there, or -1
  private int nodes = 1;

  /** Adds a text that is not empty; the first one counts where a text comes twice. */
  void add(String text, int token) {
    firsts.set(text.charAt(0));
    int node = 0;
    for (int i = 0; i < text.length(); i++) {
      node = child(node, text.charAt(i));
    }
    if (tokens[node] < 0) {
      tokens[node] = token;
    }
  }

  boolean isEmpty() {
    return firsts.isEmpty();
  }

  /** Whether a text begins with this unit. */
  boolean mayStart(char unit) {
    return firsts.get(unit);
  }

  /**
   * Finds the longest text at a place.
   *
   * @param allowed which tokens count
   * @return end of the text in the upper half, token in the lower half; -1 if there is none
   */
  long longest(CharSequence text, int at, IntPredicate allowed) {
    long found = -1;
    int node = 0;
    for (int i = at; i < text.length(); i++) {
      int slot = slot((long) node << 16 | text.charAt(i));
      if (edges[slot] == 0) {
        break;
      }
      node = targets[slot];
      if (tokens[node] >= 0 && allowed.test(tokens[node])) {
        found = (long) (i + 1) << 32 | tokens[node];
      }
    }
    return found;
  }

  private int child(int node, char unit) {
    int slot = slot((long) node << 16 | unit);
    if (edges[slot] != 0) {
      return targets[slot];
    }
    if (2 * (edgeCount + 1) > edges.length) {
      grow();
      slot = slot((long) node << 16 | unit);
    }
    edgeCount++;
    edges[slot] = ((long) node << 16 | unit) + 1;
    targets[slot] = nodes;
    if (nodes == tokens.length) {
      tokens = Arrays.copyOf(tokens, 2 * nodes);
    }
    tokens[nodes] = -1;
    return nodes++;
  }

  private void grow() {
    long[] oldEdges = edges;
    int[] oldTargets = targets;
    edges = new long[2 * oldEdges.length];
    targets = new int[edges.length];
    for (int i = 0; i < oldEdges.length; i++) {
      if (oldEdges[i] != 0) {
        int slot = slot(oldEdges[i] - 1);
        edges[slot] = oldEdges[i];
        targets[slot] = oldTargets[i];
      }
    }
  }

  private int slot(long edge) {
    int mask = edges.length - 1;
    int slot = (int) (edge * 0x9E3779B97F4A7C15L >>> 32) & mask;
    while (edges[slot] != 0 && edges[slot] != edge + 1) {
      slot = slot + 1 & mask;
    }
    return slot;
  }
}
