package dev.llama.sentencepiece;

/**
 * Finds pieces by their characters, without making strings: an open-addressing hash table over
 * ranges of one character array. Spaces are U+0020 here, not U+2581.
 */
final class PieceIndex {
  private final char[] text; // all keys, end to end
  private final int[] starts; // by entry
  private final int[] ids; // by entry
  private final int[] slots; // entry + 1, or 0
  private final int mask;
  private int entries;
  private int length;

  /**
   * Creates an empty index.
   *
   * @param keys how many keys it is to hold
   * @param chars how many characters they have in all
   */
  PieceIndex(int keys, int chars) {
    text = new char[chars];
    starts = new int[keys + 1];
    ids = new int[keys];
    slots = new int[tableSize(keys)];
    mask = slots.length - 1;
  }

  /** A power of two of at least twice the number of keys, so that probing stays short. */
  static int tableSize(int keys) {
    return Math.max(16, Integer.highestOneBit(Math.max(1, keys)) << 2);
  }

  /**
   * Adds a key.
   *
   * @return the id that the key already had, or -1 if it was added
   */
  int add(String key, int id) {
    key.getChars(0, key.length(), text, length);
    int end = length + key.length();
    int slot = slot(text, length, end, hash(text, length, end));
    if (slots[slot] != 0) {
      return ids[slots[slot] - 1];
    }
    starts[entries] = length;
    ids[entries] = id;
    slots[slot] = ++entries;
    starts[entries] = end;
    length = end;
    return -1;
  }

  /** The hash of a range, as {@link #find} expects it. */
  static int hash(char[] chars, int from, int to) {
    int hash = 0;
    for (int i = from; i < to; i++) {
      hash = step(hash, chars[i]);
    }
    return hash;
  }

  /** Extends a hash by one character. */
  static int step(int hash, char c) {
    return hash * 31 + c;
  }

  /**
   * Finds the piece that has exactly these characters.
   *
   * @return its id, or -1
   */
  int find(char[] chars, int from, int to, int hash) {
    int entry = slots[slot(chars, from, to, hash)];
    return entry == 0 ? -1 : ids[entry - 1];
  }

  /** The slot that holds the characters, or the free one where they belong. */
  private int slot(char[] chars, int from, int to, int hash) {
    int slot = spread(hash) & mask;
    while (slots[slot] != 0) {
      int entry = slots[slot] - 1;
      int start = starts[entry];
      if (starts[entry + 1] - start == to - from && matches(start, chars, from, to)) {
        return slot;
      }
      slot = slot + 1 & mask;
    }
    return slot;
  }

  private boolean matches(int start, char[] chars, int from, int to) {
    for (int i = from, j = start; i < to; i++, j++) {
      if (chars[i] != text[j]) {
        return false;
      }
    }
    return true;
  }

  private static int spread(int hash) {
    int mixed = hash * 0x9E3779B9;
    return mixed ^ mixed >>> 15;
  }
}
