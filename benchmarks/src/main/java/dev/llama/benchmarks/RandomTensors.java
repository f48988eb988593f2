package dev.llama.benchmarks;

import dev.llama.DType;
import dev.llama.spi.Backend;
import dev.llama.spi.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;

/** Makes tensors with random contents. */
final class RandomTensors {
  private RandomTensors() {}

  /** Makes a tensor of normally distributed numbers. */
  static Tensor floats(Backend backend, Random random, long... shape) {
    int elements = 1;
    for (long size : shape) {
      elements = Math.toIntExact(elements * size);
    }
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(Math.multiplyExact(elements, Float.BYTES))
            .order(ByteOrder.nativeOrder());
    while (bytes.hasRemaining()) {
      bytes.putFloat((float) random.nextGaussian());
    }
    return written(backend, DType.F32, bytes, shape);
  }

  /** Makes a vector of numbers from 0 up to a limit. */
  static Tensor integers(Backend backend, Random random, int count, int limit) {
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(count * Integer.BYTES).order(ByteOrder.nativeOrder());
    while (bytes.hasRemaining()) {
      bytes.putInt(random.nextInt(limit));
    }
    return written(backend, DType.I32, bytes, count);
  }

  private static Tensor written(Backend backend, DType type, ByteBuffer bytes, long... shape) {
    Tensor tensor = backend.allocate(type, shape);
    backend.write(tensor, bytes.flip());
    return tensor;
  }
}
