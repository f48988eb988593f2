package dev.llama.sentencepiece;

import dev.llama.InvalidInputException;
import java.util.Arrays;

/** A growing list of token ids. */
final class Ids {
  int[] values;
  int size;

  Ids(int capacity) {
    values = new int[Math.max(16, capacity)];
  }

  void add(int id) {
    if (size == values.length) {
      grow(1);
    }
    values[size++] = id;
  }

  /** Repeats ids that are already in the list. */
  void repeat(int from, int count) {
    if (count > values.length - size) {
      grow(count);
    }
    for (int i = 0; i < count; i++) {
      values[size + i] = values[from + i];
    }
    size += count;
  }

  private void grow(int count) {
    long needed = (long) size + count;
    if (needed > Integer.MAX_VALUE - 8) {
      throw new InvalidInputException(
          "the text gives more than 2147483639 tokens; encode it in parts");
    }
    long doubled = Math.max(needed, 2L * values.length);
    values = Arrays.copyOf(values, (int) Math.min(doubled, Integer.MAX_VALUE - 8));
  }

  int[] toArray() {
    return Arrays.copyOf(values, size);
  }
}
