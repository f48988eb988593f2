package dev.llama.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.LlamaException;
import dev.llama.spi.AttentionDropout;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.Batch;
import dev.llama.spi.GradOps;
import dev.llama.spi.KvCache;
import dev.llama.spi.KvShape;
import dev.llama.spi.Ops.Write;
import dev.llama.spi.Tensor;
import dev.llama.spi.conformance.HeapTensorData;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What the gradients on the CPU promise besides the SPI: the same bits on any number of threads.
 */
class GradOpsTest {
  private static Backend open(String variant, int threads) {
    return new CpuBackendProvider().open(new BackendOptions(Optional.of(variant), threads));
  }

  private static Tensor random(Backend backend, Random random, long... shape) {
    Tensor tensor = backend.allocate(DType.F32, shape);
    int count = (int) (tensor.rows() * tensor.width());
    ByteBuffer bytes = ByteBuffer.allocateDirect(4 * count).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < count; i++) {
      bytes.putFloat((float) random.nextGaussian());
    }
    backend.write(tensor, bytes.flip());
    return tensor;
  }

  private static Tensor ints(Backend backend, int... values) {
    Tensor tensor = backend.allocate(DType.I32, values.length);
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    for (int value : values) {
      bytes.putInt(value);
    }
    backend.write(tensor, bytes.flip());
    return tensor;
  }

  private static byte[] bytes(Backend backend, Tensor tensor) {
    ByteBuffer bytes = ByteBuffer.allocate((int) (4 * tensor.rows() * tensor.width()));
    backend.read(tensor, bytes);
    return bytes.array();
  }

  private static Batch batch(Backend backend, int... documents) {
    Batch batch = backend.newBatch(Arrays.stream(documents).sum());
    batch.clear();
    for (int document : documents) {
      batch.add(null, new int[document], 0, document, 0);
    }
    batch.commit();
    return batch;
  }

  /** Runs every gradient once and returns all results. */
  private static List<byte[]> everything(Backend backend) {
    GradOps grad = backend.gradOps().orElseThrow();
    Random random = new Random(17);
    int rows = 333;
    int width = 192;
    int wide = 272;
    Tensor x = random(backend, random, rows, width);
    Tensor dOut = random(backend, random, rows, width);
    Tensor dX = random(backend, random, rows, width);
    Tensor wideGradient = random(backend, random, rows, wide);
    Tensor matrix = random(backend, random, wide, width);
    Tensor dMatrix = random(backend, random, wide, width);
    Tensor vector = random(backend, random, width);
    Tensor dVector = random(backend, random, width);
    Tensor perRow = random(backend, random, rows);
    List<byte[]> results = new ArrayList<>();
    grad.matmul(dX, dMatrix, wideGradient, x, matrix, Write.SET);
    results.add(bytes(backend, dX));
    results.add(bytes(backend, dMatrix));
    grad.rmsNorm(dX, dVector, dOut, x, vector, perRow);
    results.add(bytes(backend, dX));
    results.add(bytes(backend, dVector));
    int[] tokens = random.ints(rows, 0, wide).toArray();
    grad.embed(dMatrix, dOut, ints(backend, tokens));
    grad.addBias(dVector, dOut);
    results.add(bytes(backend, dMatrix));
    results.add(bytes(backend, dVector));
    Tensor scale = random(backend, random, 1);
    grad.crossEntropy(perRow, wideGradient, wideGradient, ints(backend, tokens), scale);
    results.add(bytes(backend, perRow));
    results.add(bytes(backend, wideGradient));
    grad.sumOfSquares(scale, dMatrix);
    results.add(bytes(backend, scale));
    Tensor m = random(backend, random, wide, width);
    Tensor v = backend.allocate(DType.F32, wide, width);
    Tensor step = random(backend, random, 4);
    grad.adamW(matrix, m, v, dMatrix, step, 0.9f, 0.95f, 1e-8f, 0.1f);
    results.add(bytes(backend, matrix));
    attention(backend, random, results, 100, 1, 232);
    attention(backend, random, results, 333);
    return results;
  }

  private static void attention(
      Backend backend, Random random, List<byte[]> results, int... documents) {
    AttentionSpec spec = new AttentionSpec(0, 6, 2, 32, 0.2f, 0);
    AttentionDropout dropout = new AttentionDropout(0.2f, ints(backend, 1, 2));
    for (AttentionSpec each : List.of(spec, spec.withDropout(dropout))) {
      Tensor q = random(backend, random, 333, 192);
      Tensor k = random(backend, random, 333, 64);
      Tensor v = random(backend, random, 333, 64);
      Tensor dOut = random(backend, random, 333, 192);
      Tensor out = backend.allocate(DType.F32, 333, 192);
      Tensor lse = backend.allocate(DType.F32, 333, 6);
      Tensor dQ = backend.allocate(DType.F32, 333, 192);
      Tensor dK = backend.allocate(DType.F32, 333, 64);
      Tensor dV = backend.allocate(DType.F32, 333, 64);
      Batch batch = batch(backend, documents);
      backend.ops().attention(out, lse, q, k, v, batch, each);
      backend.gradOps().orElseThrow().attention(dQ, dK, dV, dOut, out, lse, q, k, v, batch, each);
      for (Tensor result : List.of(out, lse, dQ, dK, dV)) {
        results.add(bytes(backend, result));
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"native", "openblas", "reference"})
  void resultsDoNotDependOnTheNumberOfThreads(String variant) {
    List<byte[]> expected = null;
    for (int threads : new int[] {1, 2, 3, 3}) {
      try (Backend backend = open(variant, threads)) {
        List<byte[]> found = everything(backend);
        for (int i = 0; expected != null && i < found.size(); i++) {
          assertArrayEquals(expected.get(i), found.get(i), threads + " threads, result " + i);
        }
        expected = found;
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"native", "openblas", "reference"})
  void inputGradientsPassThroughStoredWeights(String variant) {
    try (Backend backend = open(variant, 2)) {
      Random random = new Random(5);
      double[] values = random.doubles(96 * 64, -1, 1).map(x -> (double) (float) x).toArray();
      Tensor exact = backend.load(HeapTensorData.f32("w", values, 96, 64));
      Tensor x = random(backend, random, 40, 64);
      Tensor dOut = random(backend, random, 40, 96);
      Tensor expected = backend.allocate(DType.F32, 40, 64);
      Tensor found = backend.allocate(DType.F32, 40, 64);
      GradOps grad = backend.gradOps().orElseThrow();
      grad.matmul(expected, null, dOut, x, exact, Write.SET);
      ByteBuffer halves = ByteBuffer.allocateDirect(96 * 64 * 2).order(ByteOrder.LITTLE_ENDIAN);
      for (double value : values) {
        halves.putShort((short) (Float.floatToIntBits((float) value) >>> 16));
      }
      Tensor stored =
          backend.load(new StoredBytes("w", DType.BF16, new long[] {96, 64}, halves.flip()));
      grad.matmul(found, null, dOut, x, stored, Write.SET);
      ByteBuffer a = ByteBuffer.wrap(bytes(backend, expected)).order(ByteOrder.LITTLE_ENDIAN);
      ByteBuffer b = ByteBuffer.wrap(bytes(backend, found)).order(ByteOrder.LITTLE_ENDIAN);
      boolean rounded = false;
      while (a.hasRemaining()) {
        float difference = a.getFloat() - b.getFloat();
        assertTrue(Math.abs(difference) < 0.4, "off by " + difference); // 96 roundings of 2^-8
        rounded |= difference != 0;
      }
      assertTrue(rounded, "the weights were not those stored as BF16");
    }
  }

  private static void refuses(String words, Runnable call) {
    LlamaException e = assertThrows(InvalidInputException.class, call::run);
    assertTrue(e.getMessage().contains(words), e.getMessage());
  }

  @ParameterizedTest
  @ValueSource(strings = {"native", "reference"})
  void misuseIsNamed(String variant) {
    try (Backend backend = open(variant, 2)) {
      GradOps grad = backend.gradOps().orElseThrow();
      Random random = new Random(1);
      Tensor x = random(backend, random, 3, 8);
      Tensor w = random(backend, random, 5, 8);
      Tensor dOut = random(backend, random, 3, 5);
      Tensor one = random(backend, random, 1);
      Tensor three = random(backend, random, 3);
      refuses("shape mismatch in gradient of matmul", () -> matmul(grad, x, x, x, w));
      refuses("dWeight is [3, 8]", () -> grad.matmul(null, x, dOut, x, w, Write.SET));
      refuses(
          "target 5 in row 1",
          () -> grad.crossEntropy(three, null, dOut, ints(backend, 0, 5, 1), one));
      refuses("token 9 in row 2", () -> grad.embed(w, x, ints(backend, 0, 1, 9)));
      refuses("m is [3, 8]", () -> grad.adamW(w, x, w, w, three, 0.9f, 0.9f, 1e-8f, 0));
      refuses("probability is 1.0", () -> new AttentionDropout(1, ints(backend, 1, 2)));
      refuses("seed must be a tensor I32 [2]", () -> new AttentionDropout(0.5f, three));
      KvCache cache = backend.newKvCache(new KvShape(1, 1, 8, DType.F32, 4));
      cache.reserve(3);
      Batch batch = backend.newBatch(3);
      batch.add(cache, new int[3], 0, 3, 0);
      batch.commit();
      AttentionSpec spec = new AttentionSpec(0, 1, 1, 8, 1, 0);
      Tensor lse = random(backend, random, 3, 1);
      refuses("without KV caches", () -> grad.attention(x, x, x, x, x, lse, x, x, x, batch, spec));
      cache.close();
    }
  }

  private static void matmul(GradOps grad, Tensor dX, Tensor dOut, Tensor x, Tensor w) {
    grad.matmul(dX, null, dOut, x, w, Write.SET);
  }
}
