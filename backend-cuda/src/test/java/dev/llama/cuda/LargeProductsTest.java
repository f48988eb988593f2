package dev.llama.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.DType;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.conformance.Lab;
import dev.llama.spi.conformance.StoredWeight;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** cuBLASLt is told the right shapes, and only of products that it may have. */
class LargeProductsTest {
  private static final int ROWS = 129;
  private static final int INPUTS = 40;
  private static final int OUTPUTS = 24;

  @Test
  void theLibraryGivesWhatTheOwnKernelsGive() {
    Emulator.require();
    Driver.start();
    try (Gpu gpu = new Gpu(Device.list().get(0))) {
      gpu.enter();
      LargeProducts library = LargeProducts.open(gpu, 0).orElseThrow();
      CudaTensor weight =
          new WeightLoader(gpu, new QuantizedActivations(gpu))
              .load(StoredWeight.random(Lab.random("weight"), DType.BF16, OUTPUTS, INPUTS).data());
      CudaTensor x = matrix(gpu, ROWS, INPUTS);
      float[] values = new float[ROWS * INPUTS];
      for (int i = 0; i < values.length; i++) {
        values[i] = (i * 37 % 101) / 16f - 3; // exact in BF16
      }
      write(gpu, x, values);
      for (boolean add : new boolean[] {false, true}) {
        CudaTensor expected = filled(gpu);
        CudaTensor found = filled(gpu);
        assertTrue(library.takes(found, x, weight));
        assertTrue(library.multiply(found, x, weight, add));
        new Products(gpu, Optional.empty(), new QuantizedActivations(gpu))
            .multiply(expected, x, weight, add ? Products.ADD : Products.SET);
        float[] wanted = read(gpu, expected);
        float[] got = read(gpu, found);
        for (int i = 0; i < wanted.length; i++) {
          assertEquals(wanted[i], got[i], 1e-4f * (1 + Math.abs(wanted[i])), "element " + i);
        }
      }
      assertFalse(library.takes(matrix(gpu, 127, OUTPUTS), matrix(gpu, 127, INPUTS), weight));
      CudaTensor f32 = matrix(gpu, OUTPUTS, INPUTS);
      assertFalse(library.takes(matrix(gpu, ROWS, OUTPUTS), x, f32), "F32 weights");
      CudaTensor shifted = matrix(gpu, ROWS + 1, 25).slice(1, ROWS);
      assertFalse(library.takes(shifted, x, weight), "an output that is not aligned");
      CudaTensor refused = weight.slice(0, 8);
      CudaTensor result = matrix(gpu, ROWS, 8);
      assertTrue(library.takes(result, x, refused));
      assertFalse(library.multiply(result, x, refused, false), "sizes without an algorithm");
      long objects = Emulator.get(Emulator.Setting.OBJECTS);
      library.close();
      assertEquals(objects - 9, Emulator.get(Emulator.Setting.OBJECTS), "handle and plan");
      gpu.exit();
    }
  }

  @Test
  void theDescriptionSaysWhichRuns() {
    Emulator.require();
    try (Backend backend = new CudaBackendProvider().open(BackendOptions.defaults())) {
      assertTrue(backend.description().contains("cuBLASLt 12.4.0"), backend.description());
    }
  }

  private static CudaTensor matrix(Gpu gpu, int rows, int width) {
    long address = gpu.allocateZeros(4L * rows * width, "test");
    return CudaTensor.whole(
        DType.F32, new long[] {rows, width}, new CudaTensor.Owner(gpu, address));
  }

  private static CudaTensor filled(Gpu gpu) {
    CudaTensor tensor = matrix(gpu, ROWS, OUTPUTS);
    float[] values = new float[ROWS * OUTPUTS];
    java.util.Arrays.fill(values, 2.5f);
    write(gpu, tensor, values);
    return tensor;
  }

  private static void write(Gpu gpu, CudaTensor tensor, float... values) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(values);
    gpu.transfers().upload(tensor.address(), bytes);
  }

  private static float[] read(Gpu gpu, CudaTensor tensor) {
    ByteBuffer bytes = ByteBuffer.allocate((int) tensor.byteSize()).order(ByteOrder.LITTLE_ENDIAN);
    gpu.transfers().download(bytes, tensor.address(), tensor.byteSize());
    float[] values = new float[bytes.capacity() / 4];
    bytes.asFloatBuffer().get(values);
    return values;
  }
}
