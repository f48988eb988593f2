package dev.llama.cpu;

import dev.llama.DType;
import dev.llama.spi.Backend;
import dev.llama.spi.Ops.Write;
import dev.llama.spi.Tensor;
import dev.llama.spi.conformance.StoredWeight;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;

/** Products of the same row, several times over, with a matrix. */
final class ProductOf {
  private ProductOf() {}

  static float[] rows(Backend backend, StoredWeight weight, int rows) {
    int inputs = weight.inputs();
    int outputs = weight.values().length / inputs;
    ByteBuffer bytes = ByteBuffer.allocateDirect(4 * rows * inputs).order(ByteOrder.nativeOrder());
    for (int row = 0; row < rows; row++) {
      Random random = new Random(1);
      for (int i = 0; i < inputs; i++) {
        bytes.putFloat((float) random.nextGaussian());
      }
    }
    bytes.flip();
    try (Tensor x = backend.allocate(DType.F32, rows, inputs);
        Tensor out = backend.allocate(DType.F32, rows, outputs);
        Tensor matrix = backend.load(weight.data())) {
      backend.write(x, bytes);
      backend.ops().matmul(out, x, matrix, Write.SET);
      ByteBuffer result =
          ByteBuffer.allocateDirect(4 * rows * outputs).order(ByteOrder.nativeOrder());
      backend.read(out, result);
      float[] values = new float[rows * outputs];
      result.flip();
      result.asFloatBuffer().get(values);
      return values;
    }
  }
}
