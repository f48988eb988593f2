package dev.llama.spi;

import java.nio.charset.StandardCharsets;
import java.util.AbstractList;
import java.util.Arrays;
import java.util.List;
import java.util.RandomAccess;

/**
 * Texts in the form in which files store them: UTF-8, one after the other. As a list it decodes
 * what it is asked for. Who goes through a vocabulary reads the bytes instead: a hundred thousand
 * strings take most of the time in which a model is loaded. Immutable.
 */
public final class Texts extends AbstractList<String> implements RandomAccess {
  private final byte[] bytes;
  private final int[] starts; // [size + 1]
  private final int gap;

  /**
   * Takes texts as they are.
   *
   * @param bytes well-formed UTF-8; not to be modified afterwards
   * @param starts index of the first byte of each text, then that at which another one would start;
   *     not to be modified afterwards
   * @param gap bytes between a text and the next, at least 0
   */
  public Texts(byte[] bytes, int[] starts, int gap) {
    this.bytes = bytes;
    this.starts = starts;
    this.gap = gap;
  }

  /**
   * Returns texts in this form.
   *
   * @param list any texts; an unpaired surrogate becomes a question mark
   * @return the list itself if it has this form
   */
  public static Texts of(List<String> list) {
    if (list instanceof Texts) {
      return (Texts) list;
    }
    byte[] bytes = new byte[16 * list.size()];
    int[] starts = new int[list.size() + 1];
    int at = 0;
    for (int i = 0; i < list.size(); i++) {
      byte[] text = list.get(i).getBytes(StandardCharsets.UTF_8);
      if (text.length > bytes.length - at) {
        bytes = Arrays.copyOf(bytes, Math.max(Math.addExact(at, text.length), 2 * bytes.length));
      }
      System.arraycopy(text, 0, bytes, at, text.length);
      at += text.length;
      starts[i + 1] = at;
    }
    return new Texts(bytes, starts, 0);
  }

  @Override
  public String get(int index) {
    int start = start(index);
    return new String(bytes, start, end(index) - start, StandardCharsets.UTF_8);
  }

  @Override
  public int size() {
    return starts.length - 1;
  }

  /**
   * Returns the bytes of all texts, not to be modified.
   *
   * @return UTF-8; only what lies between {@link #start} and {@link #end} of a text counts
   */
  public byte[] bytes() {
    return bytes;
  }

  /**
   * Returns where a text is in {@link #bytes}.
   *
   * @param index which text
   * @return its first byte
   */
  public int start(int index) {
    return starts[index];
  }

  /**
   * Returns where a text is in {@link #bytes}.
   *
   * @param index which text
   * @return behind its last byte
   */
  public int end(int index) {
    return starts[index + 1] - gap;
  }
}
