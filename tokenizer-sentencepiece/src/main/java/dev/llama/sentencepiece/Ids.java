package dev.llama.sentencepiece;

import dev.llama.InvalidInputException;
import java.util.Arrays;

/** A growing list of token ids. */
final class Ids {
  private static final int MAX_SIZE = Integer.MAX_VALUE - 8; // of a Java array

  int[] values;
  int size;

  Ids(int capacity) {
    values = new int[Math.max(16, capacity)];
  }

  void add(int id) {
    if (size == values.length) {
      grow();
    }
    values[size++] = id;
  }

  private void grow() {
    if (size == MAX_SIZE) {
      throw new InvalidInputException(
          "the text gives more than " + MAX_SIZE + " tokens; encode it in parts");
    }
    values = Arrays.copyOf(values, (int) Math.min(2L * size, MAX_SIZE));
  }

  int[] toArray() {
    return Arrays.copyOf(values, size);
  }
}
