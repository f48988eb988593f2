package dev.llama.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.Ops.Write;
import dev.llama.spi.Tensor;
import dev.llama.spi.conformance.Lab;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Slices begin at any element, but devices load 16 bytes from multiples of 16 only; the emulator
 * traps on others.
 */
class AlignmentTest {
  private static final int WIDTH = 64;

  private Backend backend;
  private Lab lab;

  @BeforeEach
  void open() {
    Emulator.require();
    backend = new CudaBackendProvider().open(BackendOptions.defaults());
    lab = new Lab(backend);
  }

  @AfterEach
  void close() {
    if (backend != null) {
      lab.close();
      backend.close();
    }
  }

  /** The same numbers at an address that is a multiple of 4 alone. */
  private Tensor shifted(double[] values) {
    double[] longer = new double[values.length + 1];
    System.arraycopy(values, 0, longer, 1, values.length);
    return lab.vector(longer).slice(1, values.length);
  }

  @Test
  void productsTakeWeightsAtAnyElement() {
    double[] row = Lab.normal(Lab.random("row"), WIDTH, 1);
    for (int rows : new int[] {1, 3, 9}) {
      Tensor x = lab.matrix(Lab.normal(Lab.random("x"), rows * WIDTH, 1), WIDTH);
      double[] expected = product(x, lab.vector(row), rows);
      double[] found = product(x, shifted(row), rows);
      for (int r = 0; r < rows; r++) {
        // Another order of summation.
        assertArrayEquals(
            new double[] {expected[r]}, new double[] {found[r]}, 1e-4, "row " + r + " of " + rows);
      }
    }
  }

  @Test
  void productsTakeActivationsAtAnyElement() {
    double[] row = Lab.normal(Lab.random("row"), WIDTH, 1);
    Tensor weight = lab.matrix(Lab.normal(Lab.random("weight"), 5 * WIDTH, 1), WIDTH);
    double[][] results = new double[2][];
    for (int i = 0; i < 2; i++) {
      Tensor x = i == 0 ? lab.vector(row) : shifted(row);
      Tensor out = lab.unset(1, 5);
      lab.ops().matmul(out, x, weight, Write.SET);
      results[i] = lab.read(out);
    }
    assertArrayEquals(results[0], results[1], 1e-4, Arrays.toString(results[1]));
  }

  private double[] product(Tensor x, Tensor weight, int rows) {
    Tensor out = lab.unset(rows, 1);
    lab.ops().matmul(out, x, weight, Write.SET);
    return lab.read(out);
  }
}
