package dev.llama.cpu;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Work space of one thread for the length of one task: arrays and direct memory that grow to the
 * largest size asked for and are then kept, so that operations allocate nothing. Contents are
 * undefined at the start of a task.
 */
final class Scratch {
  /** Number of elements of {@link #bits()}. */
  static final int BITS = 2048;

  private static final int SLOTS = 8;

  private final float[][] floats = new float[SLOTS][0];
  private final float[][][] rows = new float[SLOTS][0][];
  private final byte[][] bytes = new byte[SLOTS][0];
  private final ByteBuffer[] direct = new ByteBuffer[SLOTS];
  private short[] shorts = new short[0];
  private int[] ints = new int[0];
  private int[] moreInts = new int[0];
  private Segment bits;
  private Object extension;

  /** Returns the array of a slot, at least {@code length} long. */
  float[] floats(int slot, int length) {
    if (floats[slot].length < length) {
      floats[slot] = new float[grown(length)];
    }
    return floats[slot];
  }

  /** Returns at least {@code count} arrays of at least {@code length} elements each. */
  float[][] rows(int slot, int count, int length) {
    float[][] have = rows[slot];
    if (have.length < count || (count > 0 && have[0].length < length)) {
      int width = have.length == 0 ? length : Math.max(length, have[0].length);
      have = Arrays.copyOf(have, Math.max(count, have.length));
      for (int i = 0; i < have.length; i++) {
        if (have[i] == null || have[i].length < width) {
          have[i] = new float[width];
        }
      }
      rows[slot] = have;
    }
    return have;
  }

  byte[] bytes(int slot, int length) {
    if (bytes[slot].length < length) {
      bytes[slot] = new byte[grown(length)];
    }
    return bytes[slot];
  }

  short[] shorts(int length) {
    if (shorts.length < length) {
      shorts = new short[grown(length)];
    }
    return shorts;
  }

  int[] ints(int length) {
    if (ints.length < length) {
      ints = new int[grown(length)];
    }
    return ints;
  }

  int[] moreInts(int length) {
    if (moreInts.length < length) {
      moreInts = new int[grown(length)];
    }
    return moreInts;
  }

  /** Returns memory outside the heap, 64-byte aligned, native byte order, position 0. */
  ByteBuffer direct(int slot, int length) {
    if (direct[slot] == null || direct[slot].capacity() < length) {
      direct[slot] = null;
      direct[slot] =
          ByteBuffer.allocateDirect(Math.addExact(length, 128))
              .alignedSlice(64)
              .order(ByteOrder.nativeOrder());
    }
    return direct[slot];
  }

  /**
   * Returns {@value #BITS} elements through which floats become the integers with the same bits,
   * and back: copying whole arrays is faster than converting elements, which C2 does one by one.
   */
  Segment bits() {
    if (bits == null) {
      bits = new Segment(ByteBuffer.allocateDirect(BITS * 4));
    }
    return bits;
  }

  /** What a tier keeps per thread besides; null at first. */
  Object extension() {
    return extension;
  }

  void extension(Object value) {
    extension = value;
  }

  private static int grown(int length) {
    return length < (1 << 28) ? Math.max(64, Integer.highestOneBit(length - 1) << 1) : length;
  }
}
