package dev.llama.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** The fast functions are as exact as they say. */
class FunctionsTest {
  private static void assertRelative(double expected, double actual, double bound, Object at) {
    double error = Math.abs(actual - expected) / Math.abs(expected);
    assertTrue(error <= bound, () -> "at " + at + ": " + actual + ", exact " + expected);
  }

  @Test
  void expIsExactToTwoUlp() {
    for (float x = -87.2f; x < 88.7f; x += 0.00137f) {
      assertRelative(Math.exp(x), Functions.exp(x), 2e-7, x);
    }
    for (float x = 1e-8f; x < 1; x *= 1.01f) {
      assertRelative(Math.exp(-x), Functions.exp(-x), 2e-7, -x);
    }
  }

  @Test
  void expHasItsLimits() {
    assertEquals(1f, Functions.exp(0f));
    assertEquals(0f, Functions.exp(-100f));
    assertEquals(0f, Functions.exp(Float.NEGATIVE_INFINITY));
    assertEquals(Float.POSITIVE_INFINITY, Functions.exp(89f));
    assertEquals(Float.POSITIVE_INFINITY, Functions.exp(Float.POSITIVE_INFINITY));
    assertTrue(Float.isNaN(Functions.exp(Float.NaN)));
  }

  @Test
  void expOfAnArrayIsTheSameAtEveryLength() {
    Scratch scratch = new Scratch();
    for (int count : new int[] {1, 7, 31, 32, 33, 200, Scratch.BITS}) {
      float[] x = new float[count];
      for (int i = 0; i < count; i++) {
        x[i] = -87f + 174f * i / count;
      }
      float[] e = x.clone();
      Functions.exp(e, count, scratch);
      for (int i = 0; i < count; i++) {
        assertRelative(Math.exp(x[i]), e[i], 2e-7, x[i]);
      }
    }
  }

  @Test
  void expOfAnArrayStaysFiniteAndKeepsNan() {
    float[] x = new float[64];
    x[1] = Float.NaN;
    x[2] = -1000f;
    x[3] = Float.NEGATIVE_INFINITY;
    x[4] = 1000f;
    Functions.exp(x, x.length, new Scratch());
    assertEquals(1f, x[0]);
    assertTrue(Float.isNaN(x[1]));
    assertEquals(0f, x[2], 2e-38f);
    assertEquals(0f, x[3], 2e-38f);
    assertTrue(x[4] > 1e38f && x[4] < Float.POSITIVE_INFINITY);
    assertEquals(1f, x[63]);
  }

  @Test
  void erfcMatchesPublishedValues() {
    // Abramowitz and Stegun, table 7.1, and erfc(x) for the tail.
    double[][] known = {
      {0, 1},
      {0.1, 0.8875370840},
      {0.5, 0.4795001222},
      {1, 0.1572992071},
      {2, 0.0046777350},
      {3, 2.209049700e-5},
      {4, 1.541725790e-8},
      {5, 1.537459794e-12}
    };
    for (double[] pair : known) {
      assertRelative(pair[1], Functions.erfc(pair[0]), 1.3e-7, pair[0]);
      assertRelative(2 - pair[1], Functions.erfc(-pair[0]), 1.3e-7, -pair[0]);
    }
  }

  @Test
  void geluIsExactWhereItIsSmall() {
    // x * Phi(x) with Phi(-5) = 2.866515719e-7
    assertRelative(-5 * 2.866515719e-7, Functions.gelu(-5f), 3e-7, -5);
    assertEquals(0f, Functions.gelu(0f), 1e-38f);
    assertEquals(20f, Functions.gelu(20f));
    assertEquals(0f, Functions.gelu(-40f), 1e-38f);
  }
}
