package dev.llama.train;

import dev.llama.DType;
import dev.llama.Layer;
import dev.llama.core.files.TensorSource;
import dev.llama.core.model.RandomWeights;
import dev.llama.spi.Backend;
import dev.llama.spi.Tensor;
import dev.llama.spi.TensorData;
import java.nio.ByteBuffer;
import java.util.function.Function;

/**
 * What training starts from: random weights, those of a checkpoint, or, where the vocabulary has
 * grown, both.
 */
final class InitialWeights implements Function<Layer.Weight, Tensor> {
  private final Backend backend;
  private final RandomWeights random;
  private final TensorSource files;
  private final HostCopies copies;

  /**
   * Prepares the weights of one model.
   *
   * @param backend holds them
   * @param random what no file has
   * @param files checked against the layers of the model; {@code null} for random weights alone
   */
  InitialWeights(Backend backend, RandomWeights random, TensorSource files) {
    this.backend = backend;
    this.random = random;
    this.files = files;
    copies = new HostCopies(backend);
  }

  @Override
  public Tensor apply(Layer.Weight weight) {
    if (files == null) {
      return random.tensor(weight);
    }
    TensorData data = files.tensors().get(weight.name());
    long rows = weight.shape().get(0);
    boolean grown = data.shape()[0] < rows;
    Tensor tensor =
        grown
            ? random.tensor(weight)
            : backend.allocate(
                DType.F32, weight.shape().stream().mapToLong(Long::longValue).toArray());
    try {
      copies.load(tensor, data.shape()[0] > rows ? new FirstRows(data, rows) : data);
      return tensor;
    } catch (RuntimeException | Error e) {
      tensor.close();
      throw e;
    }
  }

  /** A matrix without its last rows. */
  private record FirstRows(TensorData whole, long rows) implements TensorData {
    @Override
    public String name() {
      return whole.name();
    }

    @Override
    public DType type() {
      return whole.type();
    }

    @Override
    public long[] shape() {
      long[] shape = whole.shape();
      shape[0] = rows;
      return shape;
    }

    @Override
    public long byteSize() {
      return whole.byteSize() / whole.shape()[0] * rows;
    }

    @Override
    public ByteBuffer bytes(long offset, int length) {
      return whole.bytes(offset, length);
    }
  }
}
