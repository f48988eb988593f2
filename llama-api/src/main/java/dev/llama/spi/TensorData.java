package dev.llama.spi;

import dev.llama.DType;
import java.nio.ByteBuffer;

/**
 * A tensor in a file: name, type, shape and the stored bytes, usually a mapping of the file. Valid
 * until the files are closed. Thread-safe.
 */
public interface TensorData {
  /** Largest length that {@link #bytes(long, int)} must support. */
  int MAX_SLICE = 1 << 30;

  /**
   * Returns the tensor's name.
   *
   * @return name in the layer definitions
   */
  String name();

  /**
   * Returns how elements are stored.
   *
   * @return type
   */
  DType type();

  /**
   * Returns the shape, slowest dimension first: matrices are [outputs, inputs].
   *
   * @return a copy
   */
  long[] shape();

  /**
   * Returns the stored size.
   *
   * @return bytes; may exceed 2 GiB
   */
  long byteSize();

  /**
   * Returns part of the stored bytes without copying them where they are mapped.
   *
   * @param offset first byte, from 0
   * @param length number of bytes, at most {@link #MAX_SLICE}
   * @return a read-only, little-endian, direct buffer with position 0 and that limit
   */
  ByteBuffer bytes(long offset, int length);
}
