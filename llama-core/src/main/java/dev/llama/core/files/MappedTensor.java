package dev.llama.core.files;

import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.spi.TensorData;
import java.nio.ByteBuffer;
import java.util.Arrays;

/** A tensor whose bytes lie in a mapped file. */
final class MappedTensor implements TensorData {
  private final String name;
  private final DType type;
  private final long[] shape;
  private final MappedFile file;
  private final long start;
  private final long byteSize;

  /**
   * Describes a tensor; the caller has checked the range against the file and the shape.
   *
   * @param name in the layer definitions
   * @param type of the elements
   * @param shape slowest dimension first
   * @param file that holds the bytes
   * @param start of the first byte in the file
   * @param byteSize stored bytes
   */
  MappedTensor(String name, DType type, long[] shape, MappedFile file, long start, long byteSize) {
    this.name = name;
    this.type = type;
    this.shape = shape.clone();
    this.file = file;
    this.start = start;
    this.byteSize = byteSize;
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public DType type() {
    return type;
  }

  @Override
  public long[] shape() {
    return shape.clone();
  }

  @Override
  public long byteSize() {
    return byteSize;
  }

  /** First byte in the file. */
  long start() {
    return start;
  }

  @Override
  public ByteBuffer bytes(long offset, int length) {
    if (offset < 0 || length < 0 || length > MAX_SLICE || offset > byteSize - length) {
      throw new InvalidInputException(
          name + ": cannot slice " + length + " bytes from " + offset + ", it has " + byteSize);
    }
    return file.slice(start + offset, length);
  }

  @Override
  public String toString() {
    return name + " " + type + " " + Arrays.toString(shape);
  }
}
