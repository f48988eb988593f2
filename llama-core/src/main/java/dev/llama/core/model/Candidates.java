package dev.llama.core.model;

import java.util.Arrays;

/**
 * Tokens in the order of their scores, sorted only as far as they are taken: a binary heap of all,
 * built in linear time. Among equal scores the lower id comes first. Taken candidates are kept,
 * best first; those not taken have no order.
 */
final class Candidates {
  private final int[] heap; // ids, the best at 0
  private float[] scores; // by id
  private int size;
  private int[] taken = new int[64];
  private int takenCount;

  Candidates(int vocabSize) {
    heap = new int[vocabSize];
  }

  /**
   * Begins anew.
   *
   * @param scores by id; read until the next call. Ids with negative infinity or NaN are left out
   */
  void reset(float[] scores) {
    this.scores = scores;
    takenCount = 0;
    size = 0;
    for (int id = 0; id < scores.length; id++) {
      if (scores[id] > Float.NEGATIVE_INFINITY) {
        heap[size++] = id;
      }
    }
    for (int i = size / 2 - 1; i >= 0; i--) {
      siftDown(i);
    }
  }

  /** Number of candidates that have not been taken. */
  int remaining() {
    return size;
  }

  /** Score of the best candidate that has not been taken. */
  float peek() {
    return scores[heap[0]];
  }

  /** Takes the best candidate and returns its score. */
  float take() {
    int id = heap[0];
    heap[0] = heap[--size];
    siftDown(0);
    if (takenCount == taken.length) {
      taken = Arrays.copyOf(taken, 2 * takenCount);
    }
    taken[takenCount++] = id;
    return scores[id];
  }

  /** Sum of {@code exp(score - top)} over the candidates that have not been taken. */
  double mass(float top) {
    double mass = 0;
    for (int i = 0; i < size; i++) {
      mass += Math.exp(scores[heap[i]] - top);
    }
    return mass;
  }

  /** Id of a candidate: of those taken, or else of the rest, whose first is the best. */
  int id(int index, boolean fromTaken) {
    return fromTaken ? taken[index] : heap[index];
  }

  /** Score of a candidate: of those taken, or else of the rest, whose first is the best. */
  float score(int index, boolean fromTaken) {
    return scores[id(index, fromTaken)];
  }

  private void siftDown(int start) {
    int parent = start;
    while (true) {
      int child = 2 * parent + 1;
      if (child >= size) {
        return;
      }
      if (child + 1 < size && before(heap[child + 1], heap[child])) {
        child++;
      }
      if (!before(heap[child], heap[parent])) {
        return;
      }
      int id = heap[parent];
      heap[parent] = heap[child];
      heap[child] = id;
      parent = child;
    }
  }

  private boolean before(int a, int b) {
    return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
  }
}
