package dev.llama.core.model;

import dev.llama.spi.Draw;
import java.util.Arrays;

/**
 * Tokens in the order of their scores, sorted only as far as they are taken: a binary heap of all,
 * built in linear time. Among equal scores the lower id comes first.
 */
final class Candidates {
  private final int[] heap; // ids, the best at 0; before the first is taken, in order
  private float[] scores; // by id
  private int size;
  private boolean isHeap;
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
    isHeap = false;
    for (int id = 0; id < scores.length; id++) {
      if (scores[id] > Float.NEGATIVE_INFINITY) {
        heap[size++] = id;
      }
    }
  }

  /** Number of candidates that have not been taken. */
  int remaining() {
    return size;
  }

  /** Takes the best candidate and returns its score. */
  float take() {
    for (int i = isHeap ? -1 : size / 2 - 1; i >= 0; i--) {
      siftDown(i);
    }
    isHeap = true;
    int id = heap[0];
    heap[0] = heap[--size];
    siftDown(0);
    if (takenCount == taken.length) {
      taken = Arrays.copyOf(taken, 2 * takenCount);
    }
    taken[takenCount++] = id;
    return scores[id];
  }

  /** Sum of {@link Draw#weight} over the candidates that have not been taken. */
  long weight(float top) {
    long sum = 0;
    for (int i = 0; i < size; i++) {
      sum += Draw.weight(scores[heap[i]] - top);
    }
    return sum;
  }

  /** Id of a candidate that was taken; the best is number 0. */
  int taken(int index) {
    return taken[index];
  }

  /** Score of a candidate that was taken. */
  float takenScore(int index) {
    return scores[taken[index]];
  }

  /** All ids in order, {@link #remaining} of them, if none was taken. Its own memory. */
  int[] all() {
    return heap;
  }

  /** The ids that were taken first, now in order, at the beginning of its own memory. */
  int[] firstTaken(int count) {
    Arrays.sort(taken, 0, count);
    return taken;
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
