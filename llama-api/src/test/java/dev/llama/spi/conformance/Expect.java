package dev.llama.spi.conformance;

import java.util.Arrays;
import org.opentest4j.AssertionFailedError;

/** Assertions whose messages name the case, the index, and both values. */
final class Expect {
  private Expect() {}

  /** Each element within its own bound; infinities must be equal. */
  static void close(String what, double[] found, double[] expected, double[] bound, int width) {
    if (found.length != expected.length) {
      throw new AssertionFailedError(
          what + ": " + found.length + " elements, expected " + expected.length);
    }
    int wrong = 0;
    int worst = -1;
    double worstRatio = 0;
    for (int i = 0; i < found.length; i++) {
      boolean good =
          found[i] == expected[i]
              || Math.abs(found[i] - expected[i]) <= bound[i]
              || Double.isNaN(found[i]) && Double.isNaN(expected[i]);
      if (!good) {
        wrong++;
        double ratio = Math.abs(found[i] - expected[i]) / bound[i];
        if (worst < 0 || Double.isNaN(ratio) || ratio > worstRatio) {
          worst = i;
          worstRatio = ratio;
        }
      }
    }
    if (wrong > 0) {
      throw new AssertionFailedError(
          String.format(
              "%s: [%d, %d] is %.9g, expected %.9g within %.3g (%d of %d elements are off, this"
                  + " one most)",
              what,
              worst / width,
              worst % width,
              found[worst],
              expected[worst],
              bound[worst],
              wrong,
              found.length));
    }
  }

  /** Equal to the last bit, the sign of zero included. */
  static void same(String what, double[] found, double[] expected, int width) {
    if (found.length != expected.length) {
      throw new AssertionFailedError(
          what + ": " + found.length + " elements, expected " + expected.length);
    }
    for (int i = 0; i < found.length; i++) {
      if (Double.doubleToLongBits(found[i]) != Double.doubleToLongBits(expected[i])) {
        throw new AssertionFailedError(
            String.format(
                "%s: [%d, %d] is %.9g, expected exactly %.9g",
                what, i / width, i % width, found[i], expected[i]));
      }
    }
  }

  static void same(String what, int[] found, int[] expected) {
    if (!Arrays.equals(found, expected)) {
      throw new AssertionFailedError(
          what + " is " + Arrays.toString(found) + ", expected " + Arrays.toString(expected));
    }
  }
}
