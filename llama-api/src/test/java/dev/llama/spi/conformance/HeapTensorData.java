package dev.llama.spi.conformance;

import dev.llama.DType;
import dev.llama.spi.TensorData;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/** A tensor that is in no file. */
public final class HeapTensorData implements TensorData {
  private final String name;
  private final DType type;
  private final long[] shape;
  private final ByteBuffer bytes;

  /** Takes the remaining bytes of a direct buffer. */
  public HeapTensorData(String name, DType type, ByteBuffer bytes, long... shape) {
    this.name = name;
    this.type = type;
    this.shape = shape.clone();
    this.bytes = bytes.slice();
    long elements = Arrays.stream(shape).reduce(1, (a, b) -> a * b);
    if (!bytes.isDirect() || bytes.remaining() != type.bytes(elements)) {
      throw new IllegalArgumentException(
          name + ": " + elements + " elements of " + type + " in " + bytes);
    }
  }

  /** Stores numbers as F32. */
  public static HeapTensorData f32(String name, double[] values, long... shape) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (double value : values) {
      bytes.putFloat((float) value);
    }
    return new HeapTensorData(name, DType.F32, bytes.flip(), shape);
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
    return bytes.limit();
  }

  @Override
  public ByteBuffer bytes(long offset, int length) {
    return bytes
        .asReadOnlyBuffer()
        .position(Math.toIntExact(offset))
        .limit(Math.toIntExact(offset + length))
        .slice()
        .order(ByteOrder.LITTLE_ENDIAN);
  }
}
