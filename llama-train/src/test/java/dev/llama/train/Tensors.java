package dev.llama.train;

import dev.llama.DType;
import dev.llama.spi.Tensor;
import dev.llama.spi.TensorData;
import dev.llama.train.Parameters.Parameter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;

/** Reads what a trainer has on its backend. */
final class Tensors {
  private Tensors() {}

  static float[] read(Trainer trainer, Tensor tensor) throws IOException {
    FloatBuffer all = FloatBuffer.allocate((int) (tensor.rows() * tensor.width()));
    trainer.copies().read(tensor, floats -> all.put(floats.asFloatBuffer()));
    return all.array();
  }

  static void write(Trainer trainer, Tensor tensor, float[] values) {
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    trainer.copies().load(tensor, new HostTensor(tensor.shape(), bytes));
  }

  /** Makes weights and optimiser of one trainer those of another. */
  static void copyState(Trainer from, Trainer to) throws IOException {
    for (int i = 0; i < from.parameters().size(); i++) {
      Parameter source = from.parameters().get(i);
      Parameter target = to.parameters().get(i);
      write(to, target.weight(), read(from, source.weight()));
      write(to, target.m(), read(from, source.m()));
      write(to, target.v(), read(from, source.v()));
    }
  }

  private record HostTensor(long[] shape, ByteBuffer content) implements TensorData {
    @Override
    public String name() {
      return "values of a test";
    }

    @Override
    public DType type() {
      return DType.F32;
    }

    @Override
    public long byteSize() {
      return content.capacity();
    }

    @Override
    public ByteBuffer bytes(long offset, int length) {
      return content.slice((int) offset, length).order(ByteOrder.LITTLE_ENDIAN);
    }
  }
}
