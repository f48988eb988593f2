package dev.llama.cpu;

import dev.llama.BackendException;
import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.spi.TensorData;
import java.nio.ByteBuffer;
import java.util.Arrays;

/** Makes the memory of tensors: whole rows in buffers of at most 1 GiB. */
final class Segments {
  /** Largest segment, and therefore the largest row. */
  static final int MAX_BYTES = TensorData.MAX_SLICE;

  private Segments() {}

  /**
   * Takes memory for activations.
   *
   * @param memory where from
   * @param type F32 or I32
   * @param shape [n] or [rows, width]
   */
  static CpuTensor allocate(DirectMemory memory, DType type, long... shape) {
    if (type != DType.F32 && type != DType.I32) {
      throw new InvalidInputException("allocate: the type must be F32 or I32, not " + type);
    }
    String name = type + " " + describe(shape);
    long total = byteSize(name, type, shape);
    memory.requireWithinLimit(total, "a tensor " + name);
    long rows = shape.length == 1 ? 1 : shape[0];
    long rowBytes = total / rows;
    requireRowFits(name, rowBytes);
    long perSegment = Math.max(1, Math.min(rows, MAX_BYTES / rowBytes));
    int count = (int) ((rows + perSegment - 1) / perSegment);
    ByteBuffer[] buffers = new ByteBuffer[count];
    Segment[] segments = new Segment[count];
    try {
      for (int i = 0; i < count; i++) {
        long inSegment = Math.min(perSegment, rows - i * perSegment);
        buffers[i] = memory.allocate((int) (inSegment * rowBytes), "a tensor " + name);
        segments[i] = new Segment(buffers[i]);
      }
    } catch (RuntimeException e) {
      memory.releaseAll(buffers);
      throw e;
    }
    return new CpuTensor(type, shape, new CpuTensor.Memory(segments, perSegment, memory, buffers));
  }

  /**
   * Makes a matrix of the stored bytes where they are.
   *
   * @param data [rows, width]
   */
  static CpuTensor alias(TensorData data) {
    long[] shape = data.shape();
    long total = byteSize(data.name(), data.type(), shape);
    long rowBytes = total / shape[0];
    requireRowFits(data.name(), rowBytes);
    long perSegment = Math.min(shape[0], MAX_BYTES / rowBytes);
    int count = (int) ((shape[0] + perSegment - 1) / perSegment);
    Segment[] segments = new Segment[count];
    for (int i = 0; i < count; i++) {
      long inSegment = Math.min(perSegment, shape[0] - i * perSegment);
      long offset = i * perSegment * rowBytes;
      segments[i] = new Segment(data.bytes(offset, (int) (inSegment * rowBytes)));
    }
    return new CpuTensor(data.type(), shape, new CpuTensor.Memory(segments, perSegment));
  }

  /**
   * Makes an F32 vector of a stored vector.
   *
   * @param memory where from
   * @param codec of its type
   * @param data [n]
   */
  static CpuTensor decode(DirectMemory memory, Codec codec, TensorData data) {
    long total = byteSize(data.name(), data.type(), data.shape());
    requireRowFits(data.name(), total);
    int count = (int) data.shape()[0];
    CpuTensor vector = allocate(memory, DType.F32, count);
    float[] values = new float[count];
    codec.decode(new Segment(data.bytes(0, (int) total)), 0, count, values, 0, new Scratch());
    vector.put(0, 0, count, values, 0);
    return vector;
  }

  static String describe(long[] shape) {
    return Arrays.toString(shape);
  }

  private static long byteSize(String name, DType type, long[] shape) {
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

  private static void requireRowFits(String name, long rowBytes) {
    if (rowBytes > MAX_BYTES) {
      throw new BackendException(
          name + " needs " + rowBytes + " bytes in one row; this backend's limit is " + MAX_BYTES);
    }
  }
}
