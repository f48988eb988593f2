package dev.llama.spi.conformance;

import dev.llama.naive.Scalar;
import dev.llama.spi.Draw;
import dev.llama.spi.Tensor;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Addition, activation functions, argmax. */
interface ElementwiseChecks extends Checks {
  int[][] SIZES = {{1, 1}, {3, 17}, {1, 33}, {17, 3}, {2, 64}, {33, 129}, {5, 257}, {3, 11008}};

  @Test
  default void addAddsElements() {
    for (int[] size : SIZES) {
      String what = "add " + Arrays.toString(size);
      Random random = Lab.random(what);
      double[] x = Lab.mixed(random, size[0], size[1], 3);
      double[] y = Lab.normal(random, x.length, 1);
      double[] expected = new double[x.length];
      for (int i = 0; i < x.length; i++) {
        expected[i] = x[i] + y[i];
      }
      Tensor sum = lab().matrix(x, size[1]);
      lab().ops().add(sum, lab().matrix(y, size[1]));
      Expect.close(
          what, lab().read(sum), expected, Bounds.relative(expected, 2 * Bounds.F32, 0), size[1]);
    }
  }

  @Test
  default void addBiasAddsToEveryRow() {
    for (int[] size : SIZES) {
      String what = "addBias " + Arrays.toString(size);
      Random random = Lab.random(what);
      double[] x = Lab.mixed(random, size[0], size[1], 3);
      double[] bias = Lab.normal(random, size[1], 1);
      double[] expected = new double[x.length];
      for (int i = 0; i < x.length; i++) {
        expected[i] = x[i] + bias[i % size[1]];
      }
      Tensor sum = lab().matrix(x, size[1]);
      lab().ops().addBias(sum, lab().weights(bias));
      Expect.close(
          what, lab().read(sum), expected, Bounds.relative(expected, 2 * Bounds.F32, 0), size[1]);
    }
  }

  @Test
  default void swiGluOfAwkwardSizesAndInPlace() {
    for (int[] size : SIZES) {
      String what = "swiGlu " + Arrays.toString(size);
      Random random = Lab.random(what);
      double[] gate = Lab.normal(random, size[0] * size[1], 4);
      double[] up = Lab.mixed(random, size[0], size[1], 2);
      swiGlu(what, gate, up, size[1]);
    }
  }

  @Test
  default void swiGluSaturatesWithoutNaN() {
    double[] gate = new double[EXTREMES.length * 2];
    double[] up = new double[gate.length];
    for (int i = 0; i < gate.length; i++) {
      gate[i] = (float) EXTREMES[i / 2];
      up[i] = i % 2 == 0 ? 1.5 : -0.25;
    }
    swiGlu("swiGlu of extreme gates", gate, up, gate.length);
  }

  /** Inputs at which exp and erf saturate. */
  double[] EXTREMES = {
    0, -0.0, 1e-30, -1e-30, 1, -1, 5.5, -5.5, 9, -9, 17, -17, 40, -40, 87, -87, 89, -89, 104, -104,
    1e3, -1e3, 1e10, -1e10, 1e30, -1e30
  };

  private void swiGlu(String what, double[] gate, double[] up, int width) {
    Lab lab = lab();
    double[] expected = Scalar.swiGlu(gate, up);
    double[] bound = new double[expected.length];
    for (int i = 0; i < bound.length; i++) {
      bound[i] = swiGluBound(gate[i], up[i]);
    }
    Tensor out = lab.unset(gate.length / width, width);
    lab.ops().swiGlu(out, lab.matrix(gate, width), lab.matrix(up, width));
    Expect.close(what, lab.read(out), expected, bound, width);
    Tensor inGate = lab.matrix(gate, width);
    lab.ops().swiGlu(inGate, inGate, lab.matrix(up, width));
    Expect.close(what + ", out is gate", lab.read(inGate), expected, bound, width);
    Tensor inUp = lab.matrix(up, width);
    lab.ops().swiGlu(inUp, lab.matrix(gate, width), inUp);
    Expect.close(what + ", out is up", lab.read(inUp), expected, bound, width);
  }

  /** An exponential that is off by a few roundings of its argument, or stops at 2⁻¹²⁶. */
  static double swiGluBound(double gate, double up) {
    double expected = gate * Scalar.sigmoid(gate) * up;
    double steepness = gate < 0 ? Math.min(-gate, 128) : 0;
    return (16 + 2 * steepness) * Bounds.F32 * Math.abs(expected)
        + 4 * Float.MIN_NORMAL * (1 + Math.abs(gate * up));
  }

  @Test
  default void geluOfAwkwardSizesAndInPlace() {
    for (int[] size : SIZES) {
      String what = "gelu " + Arrays.toString(size);
      gelu(what, Lab.normal(Lab.random(what), size[0] * size[1], 3), size[1]);
    }
  }

  @Test
  default void geluSaturatesWithoutNaN() {
    double[] x = Arrays.stream(EXTREMES).map(e -> (float) e).toArray();
    gelu("gelu of extreme inputs", x, x.length);
  }

  private void gelu(String what, double[] x, int width) {
    Lab lab = lab();
    double[] expected = Scalar.gelu(x);
    double[] bound = new double[expected.length];
    for (int i = 0; i < bound.length; i++) {
      // erf may be off by a few roundings of 1, until F32 has no number between it and -1.
      bound[i] =
          x[i] < -8
              ? 2 * Math.abs(expected[i]) + Float.MIN_NORMAL
              : 8 * Bounds.F32 * Math.abs(x[i]) + Float.MIN_NORMAL;
    }
    Tensor out = lab.unset(x.length / width, width);
    lab.ops().gelu(out, lab.matrix(x, width));
    Expect.close(what, lab.read(out), expected, bound, width);
    Tensor inPlace = lab.matrix(x, width);
    lab.ops().gelu(inPlace, inPlace);
    Expect.close(what + ", in place", lab.read(inPlace), expected, bound, width);
  }

  @Test
  default void argmaxFindsTheLargest() {
    for (int[] size : new int[][] {{1, 1}, {3, 17}, {17, 33}, {2, 1000}, {1, 128256}}) {
      String what = "argmax " + Arrays.toString(size);
      double[] x = Lab.normal(Lab.random(what), size[0] * size[1], 10);
      argmax(what, x, size[1]);
    }
  }

  @Test
  default void argmaxFindsEveryColumn() {
    for (int width : new int[] {33, 129, 300}) {
      double[] x = Lab.filled(width * width, -2);
      for (int i = 0; i < width; i++) {
        x[i * width + i] = -1;
      }
      argmax("argmax of each of " + width + " columns", x, width);
    }
  }

  @Test
  default void argmaxTakesTheFirstAmongEquals() {
    int width = 300;
    double[] x = Lab.normal(Lab.random("ties"), 40 * width, 1);
    Random random = Lab.random("positions of ties");
    for (int r = 0; r < 40; r++) {
      for (int n = 0; n < 5; n++) {
        x[r * width + random.nextInt(width)] = 9;
      }
    }
    argmax("argmax with five equal maxima", x, width);
    argmax("argmax of equal elements", Lab.filled(3 * width, 0.5), width);
    argmax("argmax of -0 and 0", new double[] {-1, -0.0, 0, -0.0, 0}, 5);
    double[] forbidden = Lab.filled(50, Double.NEGATIVE_INFINITY);
    forbidden[33] = -1e30;
    argmax("argmax with -infinity", forbidden, 50);
  }

  /** Whoever generates by it learns of each step that went wrong. */
  @Test
  default void argmaxIsNothingWhereNoElementIsTheLargest() {
    for (int width : new int[] {1, 4, 17, 33, 5000}) {
      double infinity = Double.POSITIVE_INFINITY;
      argmax("argmax of -infinity", Lab.filled(2 * width, -infinity), width);
      argmax("argmax of NaN", Lab.filled(2 * width, Double.NaN), width);
      double[] x = Lab.normal(Lab.random("argmax with infinity"), 2 * width, 1);
      x[width / 2] = infinity;
      argmax("argmax with infinity", x, width);
    }
  }

  @Test
  default void argmaxOfNaNStaysInTheRow() {
    int width = 37;
    double[] x = Lab.normal(Lab.random("argmax of NaN"), 5 * width, 1);
    for (int r = 0; r < 4; r++) {
      x[r * width + 12 * r] = Double.NaN;
    }
    Arrays.fill(x, 3 * width, 4 * width, Double.NaN);
    Tensor out = lab().ints(-7, -7, -7, -7, -7);
    lab().ops().argmax(out, lab().matrix(x, width));
    int[] found = lab().readInts(out);
    for (int r = 0; r < 4; r++) {
      if (found[r] < Draw.NOTHING || found[r] >= width) {
        throw new AssertionError("argmax of a row of " + width + " that holds NaN is " + found[r]);
      }
    }
    int[] last = {found[4]};
    Expect.same(
        "argmax of a row below rows with NaN",
        last,
        Scalar.argmax(Arrays.copyOfRange(x, 4 * width, 5 * width), width));
  }

  private void argmax(String what, double[] x, int width) {
    int[] unset = new int[x.length / width];
    Arrays.fill(unset, -7);
    Tensor out = lab().ints(unset);
    lab().ops().argmax(out, lab().matrix(x, width));
    Expect.same(what, lab().readInts(out), Scalar.argmax(x, width));
  }
}
