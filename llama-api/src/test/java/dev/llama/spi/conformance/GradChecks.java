package dev.llama.spi.conformance;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.llama.naive.Scalar;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.Batch;
import dev.llama.spi.GradOps;
import dev.llama.spi.Ops.Write;
import dev.llama.spi.RopeTable;
import dev.llama.spi.RopeTable.Pairing;
import dev.llama.spi.Tensor;
import java.util.Arrays;
import java.util.Random;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import org.junit.jupiter.api.Test;

/** Gradients against differences of the formulas in double arithmetic. */
interface GradChecks extends Checks {
  int[][] GRAD_SIZES = {{1, 1}, {3, 17}, {17, 3}, {5, 33}, {2, 129}};

  private GradOps grad() {
    assumeTrue(lab().backend().gradOps().isPresent(), "the backend does not train");
    return lab().backend().gradOps().get();
  }

  /** Central differences of a function at x. */
  private static double[] differences(double[] x, ToDoubleFunction<double[]> loss) {
    double[] gradient = new double[x.length];
    double[] moved = x.clone();
    for (int i = 0; i < x.length; i++) {
      double step = 1e-5 * Math.max(1, Math.abs(x[i]));
      moved[i] = x[i] + step;
      double above = loss.applyAsDouble(moved);
      moved[i] = x[i] - step;
      gradient[i] = (above - loss.applyAsDouble(moved)) / (2 * step);
      moved[i] = x[i];
    }
    return gradient;
  }

  /** Gradient of Σ dOut · f(x). */
  static double[] gradient(double[] x, double[] dOut, Function<double[], double[]> forward) {
    return differences(x, moved -> weighted(dOut, forward.apply(moved)));
  }

  private static double weighted(double[] weights, double[] values) {
    double sum = 0;
    for (int i = 0; i < values.length; i++) {
      sum += weights[i] * values[i];
    }
    return sum;
  }

  /**
   * A gradient is a sum of n terms of the size of the largest gradient or of 1, each a product of
   * several roundings: {@code 8 · sum(n)} of that.
   */
  private void expect(String what, Tensor found, double[] old, double[] gradient, int terms) {
    double[] expected = gradient.clone();
    double largest = 1;
    for (int i = 0; i < expected.length; i++) {
      expected[i] += old == null ? 0 : old[i];
      largest = Math.max(largest, Math.abs(expected[i]));
    }
    double[] bound = Lab.filled(expected.length, 8 * Bounds.sum(terms) * largest);
    Expect.close(what, lab().read(found), expected, bound, (int) found.width());
  }

  @Test
  default void gradientOfEmbed() {
    GradOps grad = grad();
    int[] tokens = {3, 0, 3, 8, 3, 1};
    Random random = Lab.random("gradient of embed");
    double[] old = Lab.normal(random, 9 * 33, 1);
    double[] dOut = Lab.normal(random, tokens.length * 33, 1);
    double[] expected = new double[old.length];
    for (int i = 0; i < dOut.length; i++) {
      expected[tokens[i / 33] * 33 + i % 33] += dOut[i];
    }
    Tensor dTable = lab().matrix(old, 33);
    grad.embed(dTable, lab().matrix(dOut, 33), lab().ints(tokens));
    expect("gradient of embed", dTable, old, expected, tokens.length);
  }

  @Test
  default void gradientOfRmsNorm() {
    GradOps grad = grad();
    for (int[] size : GRAD_SIZES) {
      String what = "gradient of rmsNorm " + Arrays.toString(size);
      Random random = Lab.random(what);
      int width = size[1];
      double[] x = Lab.normal(random, size[0] * width, 1);
      double[] weight = Lab.normal(random, width, 1);
      double[] dOut = Lab.normal(random, x.length, 1);
      double[] old = Lab.normal(random, width, 1);
      Tensor dX = lab().unset(size[0], width);
      Tensor dWeight = lab().vector(old);
      Tensor input = lab().matrix(x, width);
      Tensor rstd = lab().unset(size[0]);
      Tensor scales = lab().vector(weight);
      lab().ops().rmsNorm(lab().unset(size[0], width), rstd, input, scales, 1e-5f);
      grad.rmsNorm(dX, dWeight, lab().matrix(dOut, width), input, scales, rstd);
      double eps = 1e-5f;
      expect(
          what + ", dX", dX, null, gradient(x, dOut, v -> Scalar.rmsNorm(v, weight, eps)), width);
      expect(
          what + ", dWeight",
          dWeight,
          old,
          gradient(weight, dOut, v -> Scalar.rmsNorm(x, v, eps)),
          size[0]);
    }
  }

  @Test
  default void gradientOfLayerNorm() {
    GradOps grad = grad();
    for (int[] size : new int[][] {{3, 17}, {5, 33}, {2, 129}}) {
      String what = "gradient of layerNorm " + Arrays.toString(size);
      Random random = Lab.random(what);
      int width = size[1];
      double[] x = Lab.normal(random, size[0] * width, 1);
      double[] weight = Lab.normal(random, width, 1);
      double[] bias = Lab.normal(random, width, 1);
      double[] dOut = Lab.normal(random, x.length, 1);
      double[] oldWeight = Lab.normal(random, width, 1);
      double[] oldBias = Lab.normal(random, width, 1);
      Tensor dX = lab().unset(size[0], width);
      Tensor dWeight = lab().vector(oldWeight);
      Tensor dBias = lab().vector(oldBias);
      Tensor input = lab().matrix(x, width);
      Tensor scales = lab().vector(weight);
      Tensor mean = lab().unset(size[0]);
      Tensor rstd = lab().unset(size[0]);
      Tensor out = lab().unset(size[0], width);
      lab().ops().layerNorm(out, mean, rstd, input, scales, lab().vector(bias), 1e-5f);
      Tensor gradient = lab().matrix(dOut, width);
      grad.layerNorm(dX, dWeight, dBias, gradient, input, scales, mean, rstd);
      double eps = 1e-5f;
      expect(
          what + ", dX",
          dX,
          null,
          gradient(x, dOut, v -> Scalar.layerNorm(v, weight, bias, eps)),
          width);
      expect(
          what + ", dWeight",
          dWeight,
          oldWeight,
          gradient(weight, dOut, v -> Scalar.layerNorm(x, v, bias, eps)),
          size[0]);
      expect(
          what + ", dBias",
          dBias,
          oldBias,
          gradient(bias, dOut, v -> Scalar.layerNorm(x, weight, v, eps)),
          size[0]);
    }
  }

  @Test
  default void gradientOfMatmul() {
    for (int rows : new int[] {1, 3, 17, 33, 65}) {
      for (int inputs : new int[] {1, 17, 64, 129}) {
        for (int outputs : new int[] {1, 3, 33, 129}) {
          gradientOfMatmul(rows, inputs, outputs, Write.SET, true, true);
        }
      }
    }
    gradientOfMatmul(5, 33, 17, Write.ADD, true, true);
    gradientOfMatmul(33, 65, 129, Write.ADD, true, true);
    gradientOfMatmul(5, 33, 17, Write.SET, true, false);
    gradientOfMatmul(5, 33, 17, Write.SET, false, true);
  }

  private void gradientOfMatmul(
      int rows, int inputs, int outputs, Write write, boolean activations, boolean weights) {
    GradOps grad = grad();
    String what = "gradient of matmul " + rows + " x " + inputs + " x " + outputs + " " + write;
    Random random = Lab.random(what);
    double[] x = Lab.normal(random, rows * inputs, 1);
    double[] weight = Lab.normal(random, outputs * inputs, 1);
    double[] dOut = Lab.normal(random, rows * outputs, 1);
    double[] old = Lab.normal(random, x.length, 1);
    double[] oldWeight = Lab.normal(random, weight.length, 1);
    Tensor dX = activations ? lab().matrix(old, inputs) : null;
    Tensor dWeight = weights ? lab().matrix(oldWeight, inputs) : null;
    grad.matmul(
        dX,
        dWeight,
        lab().matrix(dOut, outputs),
        lab().matrix(x, inputs),
        lab().matrix(weight, inputs),
        write);
    if (activations) {
      double[] product = Scalar.matmul(dOut, Scalar.transpose(weight, inputs), outputs);
      expect(what + ", dX", dX, write == Write.ADD ? old : null, product, outputs);
    }
    if (weights) {
      double[] product =
          Scalar.matmul(Scalar.transpose(dOut, outputs), Scalar.transpose(x, inputs), rows);
      expect(what + ", dWeight", dWeight, oldWeight, product, rows);
    }
  }

  @Test
  default void gradientOfAddBias() {
    GradOps grad = grad();
    for (int[] size : GRAD_SIZES) {
      String what = "gradient of addBias " + Arrays.toString(size);
      Random random = Lab.random(what);
      double[] dOut = Lab.normal(random, size[0] * size[1], 1);
      double[] old = Lab.normal(random, size[1], 1);
      double[] sum = new double[size[1]];
      for (int i = 0; i < dOut.length; i++) {
        sum[i % size[1]] += dOut[i];
      }
      Tensor dBias = lab().vector(old);
      grad.addBias(dBias, lab().matrix(dOut, size[1]));
      expect(what, dBias, old, sum, size[0]);
    }
  }

  @Test
  default void gradientOfRope() {
    GradOps grad = grad();
    int[] positions = {0, 1, 7, 3, 200};
    int dim = 6;
    double[] frequencies = RopeChecks.frequencies(dim);
    for (Pairing pairing : Pairing.values()) {
      Random random = Lab.random("gradient of rope " + pairing);
      RopeTable table = new RopeTable(lab().weights(frequencies), 1.25f, pairing);
      double[][] dOut = new double[2][];
      Tensor[] tensors = new Tensor[2];
      for (int i = 0; i < 2; i++) {
        int width = dim * (i == 0 ? 4 : 2);
        dOut[i] = Lab.normal(random, positions.length * width, 1);
        tensors[i] = lab().matrix(dOut[i], width);
      }
      grad.rope(tensors[0], tensors[1], lab().ints(positions), table);
      for (int i = 0; i < 2; i++) {
        double[] expected =
            gradient(
                new double[dOut[i].length],
                dOut[i],
                v -> Scalar.rope(v, positions, frequencies, 1.25, pairing, 1));
        Expect.close(
            "gradient of rope " + pairing + (i == 0 ? ", dQ" : ", dK"),
            lab().read(tensors[i]),
            expected,
            RopeChecks.bound(dOut[i], positions, frequencies, 1.25, pairing),
            dim * (i == 0 ? 4 : 2));
      }
    }
  }

  @Test
  default void gradientOfAttention() {
    gradientOfAttention(AttentionRun.spec(1, 1, 2, 0), 1);
    gradientOfAttention(AttentionRun.spec(1, 1, 16, 0), 19);
    gradientOfAttention(AttentionRun.spec(4, 4, 6, 0), 3, 1, 9);
    gradientOfAttention(AttentionRun.spec(4, 2, 6, 0), 9, 5);
    gradientOfAttention(AttentionRun.spec(6, 1, 6, 3), 9, 5);
    gradientOfAttention(AttentionRun.spec(2, 1, 6, 1), 4, 7);
  }

  private void gradientOfAttention(AttentionSpec spec, int... documents) {
    GradOps grad = grad();
    String what = "gradient of attention, " + spec + ", documents " + Arrays.toString(documents);
    Random random = Lab.random(what);
    int rows = Arrays.stream(documents).sum();
    int width = spec.heads() * spec.headDim();
    int keyWidth = spec.keyValueHeads() * spec.headDim();
    double[] q = Lab.normal(random, rows * width, 1);
    double[] k = Lab.normal(random, rows * keyWidth, 1);
    double[] v = Lab.normal(random, rows * keyWidth, 1);
    double[] dOut = Lab.normal(random, rows * width, 1);
    Batch batch = lab().batch(rows);
    batch.clear();
    for (int document : documents) {
      batch.add(null, new int[document], 0, document, 0);
    }
    batch.commit();
    Tensor[] in = {lab().matrix(q, width), lab().matrix(k, keyWidth), lab().matrix(v, keyWidth)};
    Tensor out = lab().unset(rows, width);
    Tensor lse = lab().unset(rows, spec.heads());
    lab().ops().attention(out, lse, in[0], in[1], in[2], batch, spec);
    Tensor dQ = lab().unset(rows, width);
    Tensor dK = lab().unset(rows, keyWidth);
    Tensor dV = lab().unset(rows, keyWidth);
    Tensor dResult = lab().matrix(dOut, width);
    grad.attention(dQ, dK, dV, dResult, out, lse, in[0], in[1], in[2], batch, spec);
    int terms = rows * spec.heads() * spec.headDim();
    expect(
        what + ", dQ", dQ, null, gradient(q, dOut, x -> attend(x, k, v, spec, documents)), terms);
    expect(
        what + ", dK", dK, null, gradient(k, dOut, x -> attend(q, x, v, spec, documents)), terms);
    expect(
        what + ", dV", dV, null, gradient(v, dOut, x -> attend(q, k, x, spec, documents)), terms);
  }

  private static double[] attend(
      double[] q, double[] k, double[] v, AttentionSpec spec, int... documents) {
    int width = spec.keyValueHeads() * spec.headDim();
    double[] out = new double[q.length];
    double[] lse = new double[q.length / spec.headDim()];
    int start = 0;
    for (int document : documents) {
      int first = start;
      Scalar.History history =
          new Scalar.History() {
            @Override
            public double[] key(int position) {
              int row = first + position;
              return Arrays.copyOfRange(k, row * width, (row + 1) * width);
            }

            @Override
            public double[] value(int position) {
              int row = first + position;
              return Arrays.copyOfRange(v, row * width, (row + 1) * width);
            }
          };
      for (int i = 0; i < document; i++) {
        Scalar.attend(out, lse, q, first + i, i, history, spec);
      }
      start += document;
    }
    return out;
  }

  @Test
  default void gradientOfSwiGlu() {
    GradOps grad = grad();
    for (int[] size : GRAD_SIZES) {
      String what = "gradient of swiGlu " + Arrays.toString(size);
      Random random = Lab.random(what);
      double[] gate = Lab.normal(random, size[0] * size[1], 3);
      double[] up = Lab.normal(random, gate.length, 1);
      double[] dOut = Lab.normal(random, gate.length, 1);
      double[] dGate = gradient(gate, dOut, v -> Scalar.swiGlu(v, up));
      double[] dUp = gradient(up, dOut, v -> Scalar.swiGlu(gate, v));
      for (boolean inPlace : new boolean[] {false, true}) {
        Tensor gradient = lab().matrix(dOut, size[1]);
        Tensor gateGradient = inPlace ? gradient : lab().unset(size[0], size[1]);
        Tensor upGradient = lab().unset(size[0], size[1]);
        grad.swiGlu(
            gateGradient,
            upGradient,
            gradient,
            lab().matrix(gate, size[1]),
            lab().matrix(up, size[1]));
        expect(what + ", dGate, in place " + inPlace, gateGradient, null, dGate, 1);
        expect(what + ", dUp, in place " + inPlace, upGradient, null, dUp, 1);
      }
    }
  }

  @Test
  default void gradientOfGelu() {
    GradOps grad = grad();
    for (int[] size : GRAD_SIZES) {
      String what = "gradient of gelu " + Arrays.toString(size);
      Random random = Lab.random(what);
      double[] x = Lab.normal(random, size[0] * size[1], 3);
      double[] dOut = Lab.normal(random, x.length, 1);
      double[] expected = gradient(x, dOut, Scalar::gelu);
      Tensor dX = lab().unset(size[0], size[1]);
      grad.gelu(dX, lab().matrix(dOut, size[1]), lab().matrix(x, size[1]));
      expect(what, dX, null, expected, 1);
      Tensor inPlace = lab().matrix(dOut, size[1]);
      grad.gelu(inPlace, inPlace, lab().matrix(x, size[1]));
      expect(what + ", in place", inPlace, null, expected, 1);
    }
  }
}
