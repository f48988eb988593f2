package dev.llama.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.llama.DType;
import dev.llama.cuda.Emulator.Setting;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.Batch;
import dev.llama.spi.KvCache;
import dev.llama.spi.KvShape;
import dev.llama.spi.Ops.Write;
import dev.llama.spi.Tensor;
import dev.llama.spi.conformance.Lab;
import dev.llama.spi.conformance.StoredWeight;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Norms and attention leave activations in 8 bits, which the next product alone may use. */
class QuantizedActivationsTest {
  private static final int WIDTH = 64;
  private static final int OUTPUTS = 9;
  private static final float EPS = 1e-5f;

  private Backend backend;
  private Lab lab;
  private Tensor weight;
  private Tensor x;
  private Tensor ones;
  private Tensor normed;
  private Tensor out;

  @BeforeEach
  void open() {
    Emulator.require();
    backend = new CudaBackendProvider().open(BackendOptions.defaults());
    lab = new Lab(backend);
    weight = lab.load(StoredWeight.random(Lab.random("weight"), DType.Q8_0, OUTPUTS, WIDTH).data());
    x = lab.matrix(Lab.normal(Lab.random("x"), 2 * WIDTH, 1), WIDTH);
    ones = lab.weights(Lab.filled(WIDTH, 1));
    normed = lab.unset(2, WIDTH);
    out = lab.unset(2, OUTPUTS);
  }

  @AfterEach
  void close() {
    if (backend != null) {
      lab.close();
      backend.close();
    }
  }

  private void norm() {
    lab.ops().rmsNorm(normed, null, x, ones, EPS);
  }

  private double[] product(Tensor activations) {
    lab.ops().matmul(out, activations, weight, Write.SET);
    return lab.read(out);
  }

  private double[] productMadeAnew(Tensor activations) {
    backend.write(lab.unset(1), ByteBuffer.allocate(4)); // something else comes in between
    return product(activations);
  }

  @Test
  void theProductBehindANormSavesALaunch() {
    norm();
    long launches = Emulator.get(Setting.LAUNCHES);
    double[] found = product(normed);
    assertEquals(launches + 1, Emulator.get(Setting.LAUNCHES), "launches of the product");
    assertArrayEquals(productMadeAnew(normed), found);
    assertEquals(launches + 3, Emulator.get(Setting.LAUNCHES), "launches with both products");
  }

  @Test
  void theProductBehindAttentionSavesALaunch() {
    KvCache cache = lab.cache(new KvShape(1, 1, 32, DType.F16, 8));
    cache.reserve(2);
    Batch batch = lab.batch(2);
    batch.clear();
    batch.add(cache, new int[] {1, 2}, 0, 2, 0);
    batch.commit();
    Tensor key = lab.matrix(Lab.normal(Lab.random("key"), 64, 1), 32);
    AttentionSpec spec = new AttentionSpec(0, 2, 1, 32, 0.2f, 0);
    lab.ops().attention(normed, null, x, key, key, batch, spec);
    long launches = Emulator.get(Setting.LAUNCHES);
    double[] found = product(normed);
    assertEquals(launches + 1, Emulator.get(Setting.LAUNCHES), "launches of the product");
    assertArrayEquals(productMadeAnew(normed), found);
  }

  @Test
  void whatIsWrittenInBetweenCounts() {
    norm();
    lab.ops().add(normed, x);
    double[] afterAdd = product(normed);
    assertArrayEquals(productMadeAnew(normed), afterAdd);

    norm();
    ByteBuffer zeros = ByteBuffer.allocate(2 * WIDTH * Float.BYTES);
    backend.write(normed, zeros);
    assertArrayEquals(new double[2 * OUTPUTS], product(normed));
  }

  @Test
  void otherActivationsAndOtherRowsAreQuantizedOnTheirOwn() {
    norm();
    double[] ofInput = product(x);
    assertArrayEquals(productMadeAnew(x), ofInput);

    norm();
    Tensor row = lab.unset(1, OUTPUTS);
    lab.ops().matmul(row, normed.slice(0, 1), weight, Write.SET);
    double[] found = lab.read(row);
    double[] both = productMadeAnew(normed);
    for (int i = 0; i < OUTPUTS; i++) {
      assertEquals(both[i], found[i], 0, "output " + i);
    }
  }
}
