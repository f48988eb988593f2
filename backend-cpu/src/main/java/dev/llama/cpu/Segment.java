package dev.llama.cpu;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.ShortBuffer;

/**
 * Whole rows of a tensor that lie in one direct buffer, with views of it for bulk copies. The views
 * are read and written at absolute indices only, so threads share them.
 */
final class Segment {
  final ByteBuffer bytes;
  final FloatBuffer floats;
  final IntBuffer ints;
  final ShortBuffer shorts;

  /** Where the bytes begin, once a native library has asked for it, else 0. */
  volatile long address;

  /**
   * Makes the views.
   *
   * @param buffer direct; all of its capacity is used
   */
  Segment(ByteBuffer buffer) {
    bytes = buffer.duplicate().clear().order(ByteOrder.LITTLE_ENDIAN);
    floats = bytes.asFloatBuffer();
    ints = bytes.asIntBuffer();
    shorts = bytes.asShortBuffer();
  }
}
