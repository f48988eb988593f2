package dev.llama.spi.conformance;

import dev.llama.naive.Scalar;
import dev.llama.spi.RopeTable;
import dev.llama.spi.RopeTable.Pairing;
import dev.llama.spi.Tensor;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Rotation of queries and keys. */
interface RopeChecks extends Checks {
  int[][] HEADS = {{1, 1}, {4, 4}, {8, 2}, {6, 1}};
  int[] HEAD_DIMS = {2, 6, 16, 64, 128};

  @Test
  default void ropeOfAwkwardSizes() {
    for (Pairing pairing : Pairing.values()) {
      for (int[] heads : HEADS) {
        for (int dim : HEAD_DIMS) {
          rope(pairing, heads, dim, 1, 0, 1);
          rope(pairing, heads, dim, 1, 5, 3);
          rope(pairing, heads, dim, 1, 100, 33);
        }
      }
    }
  }

  @Test
  default void ropeScalesByItsMagnitude() {
    for (Pairing pairing : Pairing.values()) {
      rope(pairing, new int[] {4, 2}, 16, 1.2079441f, 3, 17);
      rope(pairing, new int[] {4, 2}, 64, 0.5f, 1000, 5);
    }
  }

  @Test
  default void ropeAtLargePositions() {
    for (Pairing pairing : Pairing.values()) {
      for (int first : new int[] {4090, 65530, 131072 - 9}) {
        rope(pairing, new int[] {8, 2}, 64, 1, first, 9);
      }
    }
  }

  /** Rows of different sequences stand beside one another. */
  @Test
  default void ropeAtPositionsInAnyOrder() {
    int[] positions = {7, 0, 0, 131071, 3, 2, 1, 8191, 7, 500};
    for (Pairing pairing : Pairing.values()) {
      rope(pairing, new int[] {6, 3}, 16, 1, positions);
    }
  }

  private void rope(Pairing pairing, int[] heads, int dim, float magnitude, int first, int rows) {
    int[] positions = new int[rows];
    for (int r = 0; r < rows; r++) {
      positions[r] = first + r;
    }
    rope(pairing, heads, dim, magnitude, positions);
  }

  private void rope(Pairing pairing, int[] heads, int dim, float magnitude, int[] positions) {
    Lab lab = lab();
    String what =
        String.format(
            "rope %s heads=%d/%d headDim=%d magnitude=%s rows=%d from position %d",
            pairing, heads[0], heads[1], dim, magnitude, positions.length, positions[0]);
    Random random = Lab.random(what);
    double[] frequencies = frequencies(dim);
    RopeTable table = new RopeTable(lab.weights(frequencies), magnitude, pairing);
    double[][] inputs = new double[2][];
    Tensor[] tensors = new Tensor[2];
    for (int i = 0; i < 2; i++) {
      int width = heads[i] * dim;
      inputs[i] = Lab.normal(random, positions.length * width, 1);
      tensors[i] = lab.matrix(inputs[i], width);
    }
    lab.ops().rope(tensors[0], tensors[1], lab.ints(positions), table);
    for (int i = 0; i < 2; i++) {
      Expect.close(
          what + (i == 0 ? ", q" : ", k"),
          lab.read(tensors[i]),
          Scalar.rope(inputs[i], positions, frequencies, magnitude, pairing, 1),
          bound(inputs[i], positions, frequencies, magnitude, pairing),
          heads[i] * dim);
    }
  }

  /** theta 500000, as Llama 3. */
  static double[] frequencies(int headDim) {
    double[] frequencies = new double[headDim / 2];
    for (int i = 0; i < frequencies.length; i++) {
      frequencies[i] = (float) Math.pow(500000, -2.0 * i / headDim);
    }
    return frequencies;
  }

  /**
   * The angle is a product rounded to F32, so it is off by up to 2⁻²⁴ of itself (0.008 radians at
   * position 131071); sine and cosine add a few roundings.
   */
  static double[] bound(
      double[] x, int[] positions, double[] frequencies, double magnitude, Pairing pairing) {
    int pairs = frequencies.length;
    int width = x.length / positions.length;
    double[] bound = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      int inHead = i % width % (2 * pairs);
      int pair = pairing == Pairing.HALVES ? inHead % pairs : inHead / 2;
      int partner;
      if (pairing == Pairing.HALVES) {
        partner = inHead < pairs ? i + pairs : i - pairs;
      } else {
        partner = inHead % 2 == 0 ? i + 1 : i - 1;
      }
      double angle = positions[i / width] * frequencies[pair];
      bound[i] = (1.5 * angle + 8) * Bounds.F32 * magnitude * Math.hypot(x[i], x[partner]);
    }
    return bound;
  }
}
