package dev.llama.train;

import dev.llama.DType;
import dev.llama.spi.Backend;
import dev.llama.spi.Tensor;
import dev.llama.spi.TensorData;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Copies tensors between a backend and files, some rows at a time. For one thread at a time. */
final class HostCopies {
  private static final long CHUNK_ELEMENTS = 1 << 18;

  private final Backend backend;
  private ByteBuffer buffer = ByteBuffer.allocateDirect(0);

  HostCopies(Backend backend) {
    this.backend = backend;
  }

  /** Takes rows that have come from the backend. */
  @FunctionalInterface
  interface Sink {
    /**
     * Takes some rows.
     *
     * @param floats F32, little-endian; valid until the method returns
     */
    void accept(ByteBuffer floats) throws IOException;
  }

  /** Fills some rows that are to go to the backend. */
  @FunctionalInterface
  private interface Filler {
    void fill(ByteBuffer floats, long firstElement, int elements);
  }

  /** Sets every element to 0. */
  void zero(Tensor tensor) {
    fill(
        tensor,
        (floats, first, elements) -> {
          while (floats.hasRemaining()) {
            floats.putFloat(0);
          }
        });
  }

  /** Copies the first elements from a file: as many as it has. */
  void load(Tensor tensor, TensorData data) {
    long[] shape = data.shape();
    fill(
        tensor.slice(0, shape[0]),
        (floats, first, elements) -> {
          ByteBuffer stored = stored(data, first, elements);
          for (int i = 0; i < elements; i++) {
            floats.putFloat(next(stored, data.type()));
          }
        });
  }

  private static ByteBuffer stored(TensorData data, long first, int elements) {
    DType type = data.type();
    return data.bytes(type.bytes(first), Math.toIntExact(type.bytes(elements)));
  }

  private static float next(ByteBuffer stored, DType type) {
    return switch (type) {
      case F32 -> stored.getFloat();
      case BF16 -> HalfFloats.fromBf16(stored.getShort());
      case F16 -> HalfFloats.fromF16(stored.getShort());
      default -> throw new IllegalStateException("unchecked type " + type);
    };
  }

  private void fill(Tensor tensor, Filler filler) {
    long width = tensor.shape().length == 1 ? 1 : tensor.width();
    long rows = tensor.shape()[0];
    long most = Math.min(rows, Math.max(1, CHUNK_ELEMENTS / width));
    for (long row = 0; row < rows; row += most) {
      long n = Math.min(most, rows - row);
      ByteBuffer floats = buffer(n * width);
      filler.fill(floats, row * width, (int) (n * width));
      floats.flip();
      backend.write(tensor.slice(row, n), floats);
    }
  }

  /** Hands all elements to a sink, in order. */
  void read(Tensor tensor, Sink sink) throws IOException {
    long width = tensor.shape().length == 1 ? 1 : tensor.width();
    long rows = tensor.shape()[0];
    long most = Math.min(rows, Math.max(1, CHUNK_ELEMENTS / width));
    for (long row = 0; row < rows; row += most) {
      long n = Math.min(most, rows - row);
      ByteBuffer floats = buffer(n * width);
      backend.read(tensor.slice(row, n), floats);
      floats.flip();
      sink.accept(floats);
    }
  }

  private ByteBuffer buffer(long elements) {
    int bytes = Math.toIntExact(Math.multiplyExact(elements, (long) Float.BYTES));
    if (buffer.capacity() < bytes) {
      buffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.LITTLE_ENDIAN);
    }
    return buffer.clear().limit(bytes);
  }
}
