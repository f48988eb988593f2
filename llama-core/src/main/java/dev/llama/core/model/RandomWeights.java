package dev.llama.core.model;

import dev.llama.DType;
import dev.llama.Layer;
import dev.llama.spi.Backend;
import dev.llama.spi.Tensor;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Initial weights: matrices Normal(0, standard deviation), norms 1, biases 0. Element i of a tensor
 * depends on the seed, the tensor's name and i alone, so that the weights are the same whatever the
 * machine and the order of loading.
 */
public final class RandomWeights implements Weights.Source {
  private static final int CHUNK_ELEMENTS = 1 << 18;

  private final Backend backend;
  private final long seed;
  private final double standardDeviation;

  /**
   * Prepares the weights of one model.
   *
   * @param backend holds them
   * @param seed the same seed gives the same weights on every machine
   * @param standardDeviation of matrices
   */
  public RandomWeights(Backend backend, long seed, double standardDeviation) {
    this.backend = backend;
    this.seed = seed;
    this.standardDeviation = standardDeviation;
  }

  /**
   * Makes a tensor, F32.
   *
   * @param weight its name and shape
   * @return the tensor; close it to give the memory back
   * @throws dev.llama.BackendException if memory does not suffice
   */
  @Override
  public Tensor tensor(Layer.Weight weight) {
    long[] shape = weight.shape().stream().mapToLong(Long::longValue).toArray();
    Tensor tensor = backend.allocate(DType.F32, shape);
    try {
      if (shape.length == 2) {
        fillNormal(tensor, shape, SplitMix64.mix(seed ^ SplitMix64.mix(weight.name().hashCode())));
      } else if (weight.name().endsWith(".weight")) {
        fillOnes(tensor, (int) shape[0]);
      }
      return tensor;
    } catch (RuntimeException | Error e) {
      tensor.close();
      throw e;
    }
  }

  private void fillOnes(Tensor tensor, int size) {
    ByteBuffer buffer = buffer(size);
    while (buffer.hasRemaining()) {
      buffer.putFloat(1);
    }
    ((Buffer) buffer).flip();
    backend.write(tensor, buffer);
  }

  private void fillNormal(Tensor tensor, long[] shape, long key) {
    long width = shape[1];
    long rowsAtOnce = Math.max(1, CHUNK_ELEMENTS / width);
    ByteBuffer buffer = buffer((int) (Math.min(rowsAtOnce, shape[0]) * width));
    long pair = 0;
    for (long row = 0; row < shape[0]; row += rowsAtOnce) {
      long rows = Math.min(rowsAtOnce, shape[0] - row);
      long elements = rows * width;
      ((Buffer) buffer).clear();
      for (long i = 0; i < elements; i += 2, pair++) {
        // Box and Muller 1958: two independent normals from two uniforms. StrictMath, so that every
        // machine gets the same.
        double radius =
            standardDeviation * StrictMath.sqrt(-2 * StrictMath.log(uniform(key, 2 * pair)));
        double angle = 2 * Math.PI * uniform(key, 2 * pair + 1);
        buffer.putFloat((float) (radius * StrictMath.cos(angle)));
        if (i + 1 < elements) {
          buffer.putFloat((float) (radius * StrictMath.sin(angle)));
        }
      }
      ((Buffer) buffer).flip();
      backend.write(tensor.slice(row, rows), buffer);
    }
  }

  private static ByteBuffer buffer(int elements) {
    return ByteBuffer.allocateDirect(Math.multiplyExact(elements, Float.BYTES))
        .order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Uniform in (0, 1]. */
  private static double uniform(long key, long index) {
    return ((SplitMix64.mix(key + index * 0x9E3779B97F4A7C15L) >>> 11) + 1) * 0x1p-53;
  }
}
