package dev.llama.cpu;

import dev.llama.BackendException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;

/**
 * Memory that all threads of one operation share, such as sums of parts. Given back memory is kept
 * for the next operation, so that operations in a loop allocate nothing. Thread-safe.
 */
final class Workspace {
  private static final int ALIGNMENT = 64;

  private final ArrayDeque<Segment> spare = new ArrayDeque<>();

  /**
   * Takes memory of undefined content, aligned to a cache line.
   *
   * @param elements floats, at least 1
   * @param purpose for the message
   * @return give it back with {@link #give}
   * @throws BackendException if there is no memory
   */
  Segment take(long elements, String purpose) {
    long bytes = elements * Float.BYTES;
    synchronized (spare) {
      for (Segment segment : spare) {
        if (segment.bytes.capacity() >= bytes) {
          spare.remove(segment);
          return segment;
        }
      }
      spare.poll(); // too small for what is done now: let it go
    }
    try {
      int size = Math.toIntExact((bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT + ALIGNMENT);
      return new Segment(ByteBuffer.allocateDirect(size).alignedSlice(ALIGNMENT));
    } catch (OutOfMemoryError | ArithmeticException e) {
      throw new BackendException(
          "no memory for the "
              + purpose
              + ", "
              + bytes
              + " bytes ("
              + e.getMessage()
              + "); allow more with -XX:MaxDirectMemorySize, or use smaller batches",
          e);
    }
  }

  void give(Segment segment) {
    synchronized (spare) {
      spare.push(segment);
    }
  }
}
