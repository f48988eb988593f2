package dev.llama.cuda;

import dev.llama.BackendException;
import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.spi.Tensor;
import java.util.Arrays;

/** Numbers in the device's memory, dense, and for quantised weights in the kernels' own layout. */
final class CudaTensor implements Tensor {
  private final DType type;
  private final boolean vector;
  private final long rows;
  private final long width;
  private final long address;
  private final Owner owner;
  private final boolean view;

  /** The memory that a tensor and its views share. */
  static final class Owner {
    private final Gpu gpu;
    private final long address;
    private volatile boolean closed;

    /**
     * Describes memory that {@link Gpu#allocate} gave.
     *
     * @param gpu where
     * @param address of its first byte
     */
    Owner(Gpu gpu, long address) {
      this.gpu = gpu;
      this.address = address;
    }

    long address() {
      return address;
    }

    boolean isClosed() {
      return closed || gpu.isClosed();
    }

    void close() {
      if (!closed) {
        closed = true;
        gpu.free(address);
      }
    }
  }

  private CudaTensor(
      DType type, boolean vector, long rows, long width, long address, Owner owner, boolean view) {
    this.type = type;
    this.vector = vector;
    this.rows = rows;
    this.width = width;
    this.address = address;
    this.owner = owner;
    this.view = view;
  }

  /**
   * Describes a whole tensor, which owns its memory.
   *
   * @param type how elements are stored
   * @param shape [n] or [rows, width]
   * @param owner its memory
   */
  static CudaTensor whole(DType type, long[] shape, Owner owner) {
    boolean vector = shape.length == 1;
    long rows = vector ? 1 : shape[0];
    return new CudaTensor(type, vector, rows, shape[shape.length - 1], owner.address, owner, false);
  }

  /** A vector of integers inside memory that something else owns. */
  static CudaTensor integers(Owner owner, long offset, long count) {
    return new CudaTensor(DType.I32, true, 1, count, owner.address + offset, owner, true);
  }

  /**
   * Returns the size of a tensor.
   *
   * @param name for messages
   * @param type how elements are stored
   * @param shape [n] or [rows, width]
   * @throws InvalidInputException if there is no such shape
   * @throws BackendException if it exceeds 64 bits
   */
  static long byteSize(String name, DType type, long[] shape) {
    if (shape.length < 1 || shape.length > 2) {
      throw new InvalidInputException(
          name + " has shape " + describe(shape) + "; it must be [n] or [rows, width]");
    }
    long rows = shape.length == 1 ? 1 : shape[0];
    long width = shape[shape.length - 1];
    if (rows < 1 || width < 1) {
      throw new InvalidInputException(
          name + " has shape " + describe(shape) + "; sizes must be at least 1");
    }
    try {
      Math.multiplyExact(width, (long) type.blockBytes()); // more than enough; fails first
      return Math.multiplyExact(rows, type.bytes(width));
    } catch (ArithmeticException e) {
      throw new BackendException(
          "no memory for " + name + ": " + describe(shape) + " exceeds 2^63 bytes", e);
    }
  }

  static String describe(long[] shape) {
    return Arrays.toString(shape);
  }

  @Override
  public DType type() {
    return type;
  }

  @Override
  public long[] shape() {
    return vector ? new long[] {width} : new long[] {rows, width};
  }

  @Override
  public long rows() {
    return rows;
  }

  @Override
  public long width() {
    return width;
  }

  long elements() {
    return rows * width;
  }

  long byteSize() {
    return rows * type.bytes(width);
  }

  /** Returns the device address of the first element. */
  long address() {
    return address;
  }

  @Override
  public CudaTensor slice(long first, long count) {
    long size = vector ? width : rows;
    if (first < 0 || count < 1 || first > size - count) {
      throw new InvalidInputException(
          "slice of " + count + " rows from row " + first + " of a tensor with " + size + " rows");
    }
    if (type.isQuantized()) {
      throw new InvalidInputException("slice: the rows of quantised weights are mixed");
    }
    long start = address + first * (vector ? type.blockBytes() : type.bytes(width));
    return vector
        ? new CudaTensor(type, true, 1, count, start, owner, true)
        : new CudaTensor(type, false, count, width, start, owner, true);
  }

  boolean isClosed() {
    return owner.isClosed();
  }

  @Override
  public void close() {
    if (!view) {
      owner.close();
    }
  }
}
