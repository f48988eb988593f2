package dev.llama.train.data;

import java.util.Arrays;

/** Bytes that are added one after another. */
final class ByteBuilder {
  private byte[] bytes = new byte[1024];
  private int size;

  int size() {
    return size;
  }

  byte[] array() {
    return bytes;
  }

  void clear() {
    size = 0;
  }

  void append(int b) {
    reserve(1);
    bytes[size++] = (byte) b;
  }

  void append(byte[] source, int from, int count) {
    reserve(count);
    System.arraycopy(source, from, bytes, size, count);
    size += count;
  }

  /** Shortens to a size. */
  void truncate(int newSize) {
    size = newSize;
  }

  /** Takes away a CR at the end: of a line end of two bytes. */
  void dropCarriageReturn() {
    if (size > 0 && bytes[size - 1] == '\r') {
      size--;
    }
  }

  /** Returns whether there is nothing but ASCII white space from an index on. */
  boolean isBlank(int from) {
    for (int i = from; i < size; i++) {
      if (!isSpace(bytes[i])) {
        return false;
      }
    }
    return true;
  }

  /** Returns whether the bytes from an index on, white space around them aside, are these. */
  boolean isTrimmed(int from, byte[] expected) {
    int start = from;
    int end = size;
    while (start < end && isSpace(bytes[start])) {
      start++;
    }
    while (end > start && isSpace(bytes[end - 1])) {
      end--;
    }
    return Arrays.equals(bytes, start, end, expected, 0, expected.length);
  }

  private static boolean isSpace(byte b) {
    return b == ' ' || b >= '\t' && b <= '\r';
  }

  private void reserve(int count) {
    if (bytes.length - size < count) {
      bytes = Arrays.copyOf(bytes, Math.max(size + count, bytes.length + (bytes.length >> 1)));
    }
  }
}
