package dev.llama.spi.conformance;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.llama.DType;
import dev.llama.naive.Scalar;
import dev.llama.spi.Ops.Write;
import dev.llama.spi.Tensor;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

/** Products with weights of every type, and the composites made of them. */
interface MatmulChecks extends Checks {

  @Test
  default void matmulOfAwkwardSizes() {
    int[] sizes = {1, 3, 17, 33, 64, 129, 257, 300};
    for (int rows : new int[] {1, 2, 3, 5, 17, 33, 64}) {
      for (int inputs : sizes) {
        for (int outputs : sizes) {
          matmul(DType.F32, rows, inputs, outputs, Write.SET, 0);
        }
      }
    }
  }

  @Test
  default void matmulAddsToItsOutput() {
    for (int rows : new int[] {1, 3, 17, 33}) {
      for (int inputs : new int[] {1, 33, 129}) {
        matmul(DType.F32, rows, inputs, 17, Write.ADD, 0);
        matmul(DType.F32, rows, inputs, 64, Write.ADD, 0);
      }
    }
  }

  @Test
  default void matmulOfLongRows() {
    for (int rows : new int[] {1, 4, 17}) {
      matmul(DType.F32, rows, 4099, 33, Write.SET, 0);
    }
  }

  @Test
  default void matmulOfLargeAndSmallMagnitudes() {
    for (int rows : new int[] {9, 33}) {
      matmul(DType.F32, rows, 129, 33, Write.SET, 12);
    }
  }

  @ParameterizedTest
  @EnumSource(
      mode = Mode.MATCH_ANY,
      names = {"F16", "BF16", "Q.*"})
  default void matmulWithWeightsOfType(DType type) {
    assumeSupported(type);
    int block = type.blockElements();
    int[] widths =
        type.isQuantized()
            ? new int[] {block, 2 * block, 3 * block, 768}
            : new int[] {1, 3, 17, 33, 64, 129, 257, 300};
    for (int rows : new int[] {1, 2, 3, 5, 17, 33}) {
      for (int inputs : widths) {
        for (int outputs : new int[] {1, 3, 17, 33, 64, 129}) {
          matmul(type, rows, inputs, outputs, Write.SET, 0);
        }
        matmul(type, rows, inputs, 65, Write.ADD, 0);
        matmul(type, rows, inputs, 33, Write.SET, 3);
      }
    }
  }

  /**
   * Rows with one element other than zero lose nothing to int8: the layout shows exactly. Where all
   * rows are multiplied at once, a matrix unit may round quantised weights to BF16.
   */
  @ParameterizedTest
  @EnumSource(
      mode = Mode.MATCH_ANY,
      names = {"F32", "F16", "BF16", "Q.*"})
  default void matmulSelectsColumnsOfType(DType type) {
    assumeSupported(type);
    int inputs = 256;
    int outputs = 37;
    Lab lab = lab();
    StoredWeight weight = StoredWeight.random(Lab.random("columns " + type), type, outputs, inputs);
    Tensor loaded = lab.load(weight.data());
    double[] x = new double[inputs * inputs];
    for (int i = 0; i < inputs; i++) {
      x[i * inputs + i] = i % 2 == 0 ? 1 : -127;
    }
    double[] expected = Scalar.matmul(x, weight.values(), inputs);
    double[] bound = new double[expected.length];
    double[] wide = new double[expected.length];
    for (int i = 0; i < bound.length; i++) {
      double most = (i / outputs % 2 == 0 ? 1 : 127) * largest(weight);
      bound[i] = most * (type.isQuantized() ? 2 * Bounds.F16 : 4 * Bounds.F32);
      wide[i] = bound[i] + (type.isQuantized() ? most * Bounds.BF16 : 0);
    }
    String what = "matmul with unit rows, " + type + " [" + outputs + ", " + inputs + "]";
    Tensor out = lab.unset(inputs, outputs);
    lab.ops().matmul(out, lab.matrix(x, inputs), loaded, Write.SET);
    Expect.close(what + ", all rows at once", lab.read(out), expected, wide, outputs);

    out = lab.unset(inputs, outputs);
    Tensor all = lab.matrix(x, inputs);
    for (int r = 0; r < inputs; r++) {
      lab.ops().matmul(out.slice(r, 1), all.slice(r, 1), loaded, Write.SET);
    }
    Expect.close(what + ", row by row", lab.read(out), expected, bound, outputs);
  }

  private static double largest(StoredWeight weight) {
    double largest = 0;
    for (double value : weight.values()) {
      largest = Math.max(largest, Math.abs(value));
    }
    return largest;
  }

  /** Runs one product and compares. */
  private void matmul(DType type, int rows, int inputs, int outputs, Write write, int decades) {
    Lab lab = lab();
    String what =
        String.format(
            "matmul %s rows=%d inputs=%d outputs=%d weight %s, activations 1e±%d",
            write, rows, inputs, outputs, type, decades);
    Random random = Lab.random(what);
    StoredWeight weight = StoredWeight.random(random, type, outputs, inputs);
    double[] x = Lab.mixed(random, rows, inputs, decades);
    double[] old = Lab.normal(random, rows * outputs, 3);
    double[] expected = Scalar.matmul(x, weight.values(), inputs);
    double[] bound = Bounds.matmul(x, weight.values(), inputs, type);
    if (write == Write.ADD) {
      for (int i = 0; i < old.length; i++) {
        expected[i] += old[i];
        bound[i] += 2 * Bounds.F32 * (Math.abs(old[i]) + Math.abs(expected[i]));
      }
    }
    Tensor out = write == Write.ADD ? lab.matrix(old, outputs) : lab.unset(rows, outputs);
    try (Tensor loaded = lab.backend().load(weight.data())) {
      lab.ops().matmul(out, lab.matrix(x, inputs), loaded, write);
      Expect.close(what, lab.read(out), expected, bound, outputs);
    }
  }

  @ParameterizedTest
  @EnumSource(
      mode = Mode.MATCH_ANY,
      names = {"F32", "F16", "BF16", "Q.*"})
  default void qkvIsThreeProducts(DType type) {
    assumeSupported(type);
    Lab lab = lab();
    int hidden = 256;
    for (int rows : new int[] {1, 3, 33}) {
      String what = "qkv rows=" + rows + " weights " + type;
      Random random = Lab.random(what);
      double[] x = Lab.normal(random, rows * hidden, 1);
      int[] outputs = {96, 24, 24};
      StoredWeight[] weights = new StoredWeight[3];
      Tensor[] loaded = new Tensor[3];
      Tensor[] out = new Tensor[3];
      for (int i = 0; i < 3; i++) {
        weights[i] = StoredWeight.random(random, type, outputs[i], hidden);
        loaded[i] = lab.load(weights[i].data());
        out[i] = lab.unset(rows, outputs[i]);
      }
      Tensor input = lab.matrix(x, hidden);
      lab.ops().qkv(out[0], out[1], out[2], input, loaded[0], loaded[1], loaded[2]);
      for (int i = 0; i < 3; i++) {
        double[] values = weights[i].values();
        Expect.close(
            what + " " + "qkv".charAt(i),
            lab.read(out[i]),
            Scalar.matmul(x, values, hidden),
            Bounds.matmul(x, values, hidden, type),
            outputs[i]);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(
      mode = Mode.MATCH_ANY,
      names = {"F32", "F16", "BF16", "Q.*"})
  default void gateUpIsTwoProductsAndSwiGlu(DType type) {
    assumeSupported(type);
    Lab lab = lab();
    int hidden = 256;
    int intermediate = 83;
    for (int rows : new int[] {1, 3, 33}) {
      String what = "gateUp rows=" + rows + " weights " + type;
      Random random = Lab.random(what);
      double[] x = Lab.normal(random, rows * hidden, 0.3);
      StoredWeight gateWeight = StoredWeight.random(random, type, intermediate, hidden);
      StoredWeight upWeight = StoredWeight.random(random, type, intermediate, hidden);
      Tensor out = lab.unset(rows, intermediate);
      Tensor work = lab.unset(rows, intermediate);
      Tensor input = lab.matrix(x, hidden);
      lab.ops().gateUp(out, work, input, lab.load(gateWeight.data()), lab.load(upWeight.data()));
      double[] gate = Scalar.matmul(x, gateWeight.values(), hidden);
      double[] up = Scalar.matmul(x, upWeight.values(), hidden);
      double[] gateBound = Bounds.matmul(x, gateWeight.values(), hidden, type);
      double[] upBound = Bounds.matmul(x, upWeight.values(), hidden, type);
      double[] expected = Scalar.swiGlu(gate, up);
      double[] bound = new double[expected.length];
      for (int i = 0; i < bound.length; i++) {
        // The slope of x * sigmoid(x) is at most 1.1.
        bound[i] =
            1.1 * gateBound[i] * (Math.abs(up[i]) + upBound[i])
                + Math.abs(gate[i]) * Scalar.sigmoid(gate[i]) * upBound[i]
                + ElementwiseChecks.swiGluBound(gate[i], up[i]);
      }
      Expect.close(what, lab.read(out), expected, bound, intermediate);
    }
  }

  private void assumeSupported(DType type) {
    assumeTrue(lab().backend().supports(type), "the backend does not support " + type);
  }
}
