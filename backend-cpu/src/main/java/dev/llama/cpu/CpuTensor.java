package dev.llama.cpu;

import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.spi.Tensor;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Numbers in memory outside the heap: activations and vectors in memory of the backend, matrices of
 * weights where the file is mapped. A tensor may exceed what one buffer holds, so its rows are
 * spread over segments, equally many in each but the last.
 */
final class CpuTensor implements Tensor {
  private final DType type;
  private final boolean vector;
  private final long rows;
  private final long width;
  private final long rowBytes;
  private final Memory memory;
  private final boolean view;
  private final long firstRow;
  private final int firstElement; // of a view of a vector

  /** The memory that a tensor and its views share. */
  static final class Memory {
    final Segment[] segments;
    final long rowsPerSegment;
    private final DirectMemory owner; // null if it is not to be given back
    private final ByteBuffer[] buffers;
    private final AtomicBoolean closed = new AtomicBoolean();

    /**
     * Describes the memory of a tensor.
     *
     * @param segments whole rows each
     * @param rowsPerSegment rows in each segment but the last
     * @param owner gets {@code buffers} back when the tensor is closed
     */
    Memory(Segment[] segments, long rowsPerSegment, DirectMemory owner, ByteBuffer[] buffers) {
      this.segments = segments;
      this.rowsPerSegment = rowsPerSegment;
      this.owner = owner;
      this.buffers = buffers;
    }

    /**
     * Describes memory that is not this backend's.
     *
     * @param segments whole rows each
     * @param rowsPerSegment rows in each segment but the last
     */
    Memory(Segment[] segments, long rowsPerSegment) {
      this(segments, rowsPerSegment, null, null);
    }

    private void close() {
      if (closed.compareAndSet(false, true) && owner != null) {
        owner.releaseAll(buffers);
      }
    }
  }

  /**
   * Describes a whole tensor.
   *
   * @param type how elements are stored
   * @param shape [n] or [rows, width]
   * @param memory where
   */
  CpuTensor(DType type, long[] shape, Memory memory) {
    this.type = type;
    this.vector = shape.length == 1;
    this.rows = vector ? 1 : shape[0];
    this.width = shape[shape.length - 1];
    this.rowBytes = type.bytes(width);
    this.memory = memory;
    this.view = false;
    this.firstRow = 0;
    this.firstElement = 0;
  }

  private CpuTensor(CpuTensor whole, long first, long count) {
    this.type = whole.type;
    this.vector = whole.vector;
    this.rows = vector ? 1 : count;
    this.width = vector ? count : whole.width;
    this.rowBytes = vector ? type.bytes(count) : whole.rowBytes;
    this.memory = whole.memory;
    this.view = true;
    this.firstRow = vector ? 0 : whole.firstRow + first;
    this.firstElement = vector ? (int) (whole.firstElement + first) : 0;
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

  @Override
  public CpuTensor slice(long first, long count) {
    long size = vector ? width : rows;
    if (first < 0 || count < 1 || first > size - count) {
      throw new InvalidInputException(
          "slice of " + count + " rows from row " + first + " of a tensor with " + size + " rows");
    }
    return new CpuTensor(this, first, count);
  }

  boolean isClosed() {
    return memory.closed.get();
  }

  long byteSize() {
    return rows * rowBytes;
  }

  int rowBytes() {
    return (int) rowBytes; // a row fits a segment
  }

  /** Returns the buffer that holds a row. */
  Segment segment(long row) {
    Segment[] segments = memory.segments;
    return segments.length == 1
        ? segments[0]
        : segments[(int) ((firstRow + row) / memory.rowsPerSegment)];
  }

  /** Returns where a row begins in its segment, in bytes. */
  int offset(long row) {
    long inSegment =
        memory.segments.length == 1 ? firstRow + row : (firstRow + row) % memory.rowsPerSegment;
    return (int) (inSegment * rowBytes) + firstElement * 4;
  }

  /** Returns how many rows from this one on lie in its segment without a gap. */
  long rowsInSegment(long row) {
    return memory.segments.length == 1
        ? rows - row
        : Math.min(rows - row, memory.rowsPerSegment - (firstRow + row) % memory.rowsPerSegment);
  }

  /** Copies part of a row of an F32 tensor to an array. */
  void get(long row, int column, int count, float[] destination, int at) {
    segment(row).floats.get((offset(row) >> 2) + column, destination, at, count);
  }

  /** Copies part of a row of an F32 tensor from an array. */
  void put(long row, int column, int count, float[] source, int at) {
    segment(row).floats.put((offset(row) >> 2) + column, source, at, count);
  }

  /** Sets an element of an F32 tensor. */
  void putFloat(long row, int column, float value) {
    segment(row).floats.put((offset(row) >> 2) + column, value);
  }

  /** Returns an element of an I32 vector. */
  int getInt(int index) {
    return memory.segments[0].ints.get(firstElement + index);
  }

  /** Sets an element of an I32 vector. */
  void putInt(int index, int value) {
    memory.segments[0].ints.put(firstElement + index, value);
  }

  @Override
  public void close() {
    if (!view) {
      memory.close();
    }
  }
}
