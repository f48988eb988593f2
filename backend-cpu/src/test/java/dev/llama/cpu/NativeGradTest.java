package dev.llama.cpu;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.DType;
import dev.llama.spi.AttentionDropout;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.GradOps;
import dev.llama.spi.Ops;
import dev.llama.spi.Ops.Write;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The kernels in C against plain Java, at sizes for which the conformance suite is too slow, and
 * with tensors whose rows are in several pieces of memory, as those above 1 GiB are.
 */
class NativeGradTest {
  private final WorkerPool pool = new WorkerPool(3);
  private final DirectMemory memory = new DirectMemory();
  private Random random;
  private Ops ops;
  private GradOps grad;
  private Ops plain;
  private GradOps plainGrad;
  private int rowsInPiece;

  @BeforeEach
  void open() {
    NativeLibrary.load();
    random = new Random(3);
    rowsInPiece = Integer.MAX_VALUE;
    JavaAttention attention = new JavaAttention(pool);
    JavaMatrixProduct product = new JavaMatrixProduct(pool);
    NativeSequenceAttention sequences = new NativeSequenceAttention(pool, attention);
    NativeLargeProduct large = new NativeLargeProduct(pool, product);
    RowOps rows = new NativeRowOps(pool);
    ops = new CpuOps(large, sequences, rows);
    grad = CpuGradOps.inC(pool, large, sequences, rows);
    plain = new CpuOps(product, attention, new RowOps(pool));
    plainGrad = CpuGradOps.inJava(pool);
  }

  @AfterEach
  void close() {
    pool.close();
    memory.close();
  }

  /** A matrix of zeros, in pieces of so many rows. */
  private CpuTensor zeros(int rows, int width) {
    int inPiece = Math.min(rows, rowsInPiece);
    Segment[] pieces = new Segment[(rows - 1) / inPiece + 1];
    for (int i = 0; i < pieces.length; i++) {
      int bytes = Math.min(inPiece, rows - i * inPiece) * width * 4;
      pieces[i] = new Segment(ByteBuffer.allocateDirect(bytes));
    }
    CpuTensor.Memory all = new CpuTensor.Memory(pieces, inPiece);
    return new CpuTensor(DType.F32, new long[] {rows, width}, all);
  }

  private CpuTensor normal(int rows, int width) {
    CpuTensor tensor = zeros(rows, width);
    float[] row = new float[width];
    for (int r = 0; r < rows; r++) {
      for (int i = 0; i < width; i++) {
        row[i] = (float) random.nextGaussian();
      }
      tensor.put(r, 0, width, row, 0);
    }
    return tensor;
  }

  private CpuTensor copy(CpuTensor from) {
    CpuTensor to = zeros((int) from.rows(), (int) from.width());
    float[] row = new float[(int) from.width()];
    for (int r = 0; r < from.rows(); r++) {
      from.get(r, 0, row.length, row, 0);
      to.put(r, 0, row.length, row, 0);
    }
    return to;
  }

  private CpuTensor vector(int size) {
    CpuTensor tensor = Segments.allocate(memory, DType.F32, size);
    for (int i = 0; i < size; i++) {
      tensor.putFloat(0, i, (float) random.nextGaussian());
    }
    return tensor;
  }

  private CpuTensor ints(int... values) {
    CpuTensor tensor = Segments.allocate(memory, DType.I32, values.length);
    for (int i = 0; i < values.length; i++) {
      tensor.putInt(i, values[i]);
    }
    return tensor;
  }

  /** Equal up to the rounding of sums: to a part of the largest element. */
  private static void same(String what, CpuTensor found, CpuTensor expected) {
    int width = (int) found.width();
    float[] a = new float[width];
    float[] b = new float[width];
    double largest = 1;
    double difference = 0;
    for (int r = 0; r < found.rows(); r++) {
      found.get(r, 0, width, a, 0);
      expected.get(r, 0, width, b, 0);
      for (int i = 0; i < width; i++) {
        largest = Math.max(largest, Math.abs(b[i]));
        difference = Math.max(difference, Math.abs(a[i] - b[i]));
        assertTrue(Float.isFinite(a[i]), what + ": row " + r + " column " + i + " is " + a[i]);
      }
    }
    assertTrue(difference <= 1e-5 * largest, what + " differs by " + difference);
  }

  @ParameterizedTest
  @ValueSource(ints = {Integer.MAX_VALUE, 100})
  void productsAndTheirGradients(int inPiece) {
    rowsInPiece = inPiece;
    for (int[] size : new int[][] {{64, 33, 17}, {300, 400, 96}, {801, 130, 1000}}) {
      CpuTensor x = normal(size[0], size[1]);
      CpuTensor dOut = normal(size[0], size[2]);
      rowsInPiece = inPiece < size[2] && size[0] == 300 ? inPiece : Integer.MAX_VALUE;
      CpuTensor weight = normal(size[2], size[1]);
      CpuTensor dWeight = normal(size[2], size[1]);
      rowsInPiece = inPiece;
      CpuTensor expected = zeros(size[0], size[2]);
      CpuTensor found = zeros(size[0], size[2]);
      for (Write write : Write.values()) {
        plain.matmul(expected, x, weight, write);
        ops.matmul(found, x, weight, write);
        same("product " + write, found, expected);
      }
      CpuTensor dX = normal(size[0], size[1]);
      CpuTensor expectedX = copy(dX);
      CpuTensor expectedWeight = copy(dWeight);
      for (Write write : Write.values()) {
        plainGrad.matmul(expectedX, expectedWeight, dOut, x, weight, write);
        grad.matmul(dX, dWeight, dOut, x, weight, write);
        same("dX " + write, dX, expectedX);
        same("dWeight", dWeight, expectedWeight);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {Integer.MAX_VALUE, 100})
  void rowsAndElements(int inPiece) {
    rowsInPiece = inPiece;
    int rows = 333;
    int width = 77;
    CpuTensor x = normal(rows, width);
    CpuTensor dOut = normal(rows, width);
    CpuTensor weight = vector(width);
    CpuTensor rstd = vector(rows);
    CpuTensor[] dX = {zeros(rows, width), zeros(rows, width)};
    CpuTensor[] dWeight = {vector(width), vector(width)};
    CpuTensor[] dUp = {zeros(rows, width), zeros(rows, width)};
    CpuTensor[] loss = {vector(rows), vector(rows)};
    CpuTensor[] sum = {vector(1), vector(1)};
    CpuTensor[] w = {copy(x), copy(x)};
    CpuTensor[] m = {copy(dOut), copy(dOut)};
    CpuTensor[] v = {zeros(rows, width), zeros(rows, width)};
    CpuTensor step = vector(4);
    int[] targets = random.ints(rows, -1, width).toArray();
    for (int i = 0; i < 2; i++) {
      GradOps each = i == 0 ? plainGrad : grad;
      for (int j = 0; j < width; j++) {
        dWeight[i].putFloat(0, j, j);
      }
      each.rmsNorm(dX[i], dWeight[i], dOut, x, weight, rstd);
      sum[i].putFloat(0, 0, 3);
      each.sumOfSquares(sum[i], x);
      each.swiGlu(v[i], dUp[i], dOut, x, dX[0]);
      each.crossEntropy(loss[i], null, x, ints(targets), step.slice(0, 1));
      step.putFloat(0, 0, 0.01f);
      step.putFloat(0, 1, 0.1f);
      step.putFloat(0, 2, 0.05f);
    }
    same("dX of rmsNorm", dX[1], dX[0]);
    same("dWeight of rmsNorm", dWeight[1], dWeight[0]);
    same("dGate", v[1], v[0]);
    same("dUp", dUp[1], dUp[0]);
    same("loss", loss[1], loss[0]);
    same("sum of squares", sum[1], sum[0]);
    for (int i = 0; i < 2; i++) {
      GradOps each = i == 0 ? plainGrad : grad;
      each.crossEntropy(loss[i], dX[i], x, ints(targets), step.slice(0, 1));
      CpuTensor moment = zeros(rows, width);
      each.adamW(w[i], m[i], moment, dOut, step, 0.9f, 0.95f, 1e-8f, 0.1f);
      each.adamW(w[i], m[i], moment, x, step, 0.9f, 0.95f, 1e-8f, 0.1f);
    }
    same("dLogits", dX[1], dX[0]);
    same("weight", w[1], w[0]);
    same("first moment", m[1], m[0]);
  }

  private CpuBatch batch(int... documents) {
    CpuBatch batch = new CpuBatch(memory, Arrays.stream(documents).sum());
    for (int document : documents) {
      batch.add(null, new int[document], 0, document, 0);
    }
    batch.commit();
    return batch;
  }

  private void attention(AttentionSpec spec, int... documents) {
    String what =
        "heads " + spec.heads() + ", size " + spec.headDim() + ", window " + spec.window();
    CpuBatch batch = batch(documents);
    int rows = batch.rows();
    int width = spec.heads() * spec.headDim();
    int keyWidth = spec.keyValueHeads() * spec.headDim();
    CpuTensor q = normal(rows, width);
    CpuTensor k = normal(rows, keyWidth);
    CpuTensor v = normal(rows, keyWidth);
    CpuTensor dOut = normal(rows, width);
    CpuTensor[][] results = new CpuTensor[2][];
    for (int i = 0; i < 2; i++) {
      CpuTensor out = normal(rows, width);
      CpuTensor lse = normal(rows, spec.heads());
      CpuTensor dQ = normal(rows, width);
      CpuTensor dK = normal(rows, keyWidth);
      CpuTensor dV = normal(rows, keyWidth);
      (i == 0 ? plain : ops).attention(out, lse, q, k, v, batch, spec);
      (i == 0 ? plainGrad : grad).attention(dQ, dK, dV, dOut, out, lse, q, k, v, batch, spec);
      results[i] = new CpuTensor[] {out, lse, dQ, dK, dV};
    }
    List<String> names = List.of("out", "lse", "dQ", "dK", "dV");
    for (int i = 0; i < names.size(); i++) {
      same(what + ", " + names.get(i), results[1][i], results[0][i]);
    }
  }

  private static AttentionSpec spec(int heads, int keyHeads, int size, int window) {
    return new AttentionSpec(2, heads, keyHeads, size, (float) (1 / Math.sqrt(size)), window);
  }

  @Test
  void attentionOfLongSequences() {
    attention(spec(2, 1, 32, 0), 1100);
    attention(spec(3, 3, 40, 0), 300, 1, 257, 256);
    attention(spec(2, 1, 80, 130), 700, 3);
    attention(spec(1, 1, 256, 0), 140);
  }

  @Test
  void attentionWithDropout() {
    AttentionSpec spec = spec(4, 2, 32, 0);
    attention(spec.withDropout(new AttentionDropout(0.3f, ints(-5, 6))), 300, 70);
    spec = spec(2, 2, 16, 40);
    attention(spec.withDropout(new AttentionDropout(0.1f, ints(1, 2))), 290);
  }

  /** Rows of a sequence in two pieces are not for the kernels, but come out right. */
  @Test
  void attentionAcrossPieces() {
    rowsInPiece = 100;
    attention(spec(4, 2, 32, 0), 90, 60);
  }

  /** A BF16 has 8 bits of an F32: the three parts of which products are made must hold all 24. */
  @Test
  void productsKeepAllBits() {
    CpuTensor x = zeros(64, 1);
    CpuTensor weight = zeros(1, 1);
    CpuTensor out = zeros(64, 1);
    weight.putFloat(0, 0, 1f);
    float[] values = new float[64];
    for (int r = 0; r < 64; r++) {
      values[r] = Float.intBitsToFloat(0x3f800000 + random.nextInt(1 << 23));
      x.put(r, 0, 1, values, r);
    }
    ops.matmul(out, x, weight, Write.SET);
    float[] found = new float[1];
    for (int r = 0; r < 64; r++) {
      out.get(r, 0, 1, found, 0);
      assertTrue(found[0] == values[r], found[0] + " for " + values[r]);
    }
  }
}
