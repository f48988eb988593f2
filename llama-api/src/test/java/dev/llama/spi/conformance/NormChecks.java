package dev.llama.spi.conformance;

import dev.llama.naive.Scalar;
import dev.llama.spi.Tensor;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** rmsNorm and layerNorm. */
interface NormChecks extends Checks {
  int[] ROWS = {1, 3, 17, 33};
  int[] WIDTHS = {1, 3, 17, 33, 64, 129, 257, 300, 4096};

  @Test
  default void rmsNormOfAwkwardSizes() {
    for (int rows : ROWS) {
      for (int width : WIDTHS) {
        String what = "rmsNorm rows=" + rows + " width=" + width;
        rmsNorm(what, Lab.mixed(Lab.random(what), rows, width, 0), width, 1e-5f, false, true);
      }
    }
  }

  @Test
  default void rmsNormInPlaceAndWithoutRstd() {
    for (int width : new int[] {1, 17, 64, 300}) {
      String what = "rmsNorm in place, width=" + width;
      double[] x = Lab.mixed(Lab.random(what), 5, width, 0);
      rmsNorm(what, x, width, 1e-6f, true, false);
      rmsNorm(what + " with rstd", x, width, 1e-6f, true, true);
    }
  }

  /** Small rows are those that show where eps is added. */
  @Test
  default void rmsNormOfLargeAndSmallMagnitudes() {
    for (float eps : new float[] {1e-6f, 1e-5f, 1e-2f}) {
      String what = "rmsNorm of 1e-14 to 1e14, eps=" + eps;
      rmsNorm(what, Lab.mixed(Lab.random(what), 29, 129, 14), 129, eps, false, true);
    }
    rmsNorm("rmsNorm of zeros", new double[3 * 65], 65, 1e-5f, false, true);
  }

  private void rmsNorm(
      String what, double[] x, int width, float eps, boolean inPlace, boolean withRstd) {
    Lab lab = lab();
    int rows = x.length / width;
    double[] weight = Lab.normal(Lab.random(what + " weight"), width, 1);
    Tensor input = lab.matrix(x, width);
    Tensor out = inPlace ? input : lab.unset(rows, width);
    Tensor rstd = withRstd ? lab.unset(rows) : null;
    lab.ops().rmsNorm(out, rstd, input, lab.weights(weight), eps);
    // Half of the relative error of the sum of squares, four roundings, and those of a fast root.
    double relative = Bounds.sum(width) + 8 * Bounds.F32;
    double[] expected = Scalar.rmsNorm(x, weight, eps);
    double[] bound = Bounds.relative(expected, relative, Float.MIN_NORMAL);
    Expect.close(what, lab.read(out), expected, bound, width);
    if (withRstd) {
      double[] expectedRstd = Scalar.rmsRstd(x, width, eps);
      Expect.close(
          what + ", rstd",
          lab.read(rstd),
          expectedRstd,
          Bounds.relative(expectedRstd, relative, 0),
          1);
    }
  }

  @Test
  default void layerNormOfAwkwardSizes() {
    for (int rows : ROWS) {
      for (int width : WIDTHS) {
        String what = "layerNorm rows=" + rows + " width=" + width;
        double[] x = Lab.mixed(Lab.random(what), rows, width, 0);
        layerNorm(what, x, width, 1e-5f, false, true);
      }
    }
  }

  @Test
  default void layerNormInPlaceAndWithoutStatistics() {
    for (int width : new int[] {1, 17, 64, 300}) {
      String what = "layerNorm in place, width=" + width;
      double[] x = Lab.mixed(Lab.random(what), 5, width, 0);
      layerNorm(what, x, width, 1e-6f, true, false);
      layerNorm(what + " with statistics", x, width, 1e-6f, true, true);
    }
  }

  /** The variance must not be computed as a difference of large numbers. */
  @Test
  default void layerNormOfLargeMeanAndSmallVariance() {
    for (int decades : new int[] {0, 3, 8}) {
      String what = "layerNorm with mean 50 deviations, magnitudes 1e±" + decades;
      Random random = Lab.random(what);
      double[] x = Lab.mixed(random, 17, 257, decades);
      for (int i = 0; i < x.length; i++) {
        double magnitude = Math.pow(10, i / 257 % (2 * decades + 1) - decades);
        x[i] = (float) (x[i] + 50 * magnitude);
      }
      layerNorm(what, x, 257, 1e-5f, false, true);
    }
  }

  private void layerNorm(
      String what, double[] x, int width, float eps, boolean inPlace, boolean withStatistics) {
    Lab lab = lab();
    int rows = x.length / width;
    double[] weight = Lab.normal(Lab.random(what + " weight"), width, 1);
    double[] bias = Lab.normal(Lab.random(what + " bias"), width, 1);
    Tensor input = lab.matrix(x, width);
    Tensor out = inPlace ? input : lab.unset(rows, width);
    Tensor mean = withStatistics ? lab.unset(rows) : null;
    Tensor rstd = withStatistics ? lab.unset(rows) : null;
    lab.ops().layerNorm(out, mean, rstd, input, lab.weights(weight), lab.weights(bias), eps);

    double[] expected = Scalar.layerNorm(x, weight, bias, eps);
    double[] expectedMean = Scalar.mean(x, width);
    double[] expectedRstd = Scalar.layerRstd(x, width, eps);
    double[] meanBound = new double[rows];
    double[] rstdBound = new double[rows];
    for (int i = 0; i < x.length; i++) {
      meanBound[i / width] += Math.abs(x[i]) / width * (Bounds.sum(width) + 2 * Bounds.F32);
    }
    double[] bound = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      int r = i / width;
      double centred = Math.abs(x[i] - expectedMean[r]);
      // What the mean and the subtraction are off shifts an element; the variance feels it squared
      // or averaged out, so that twice the relative error of its own sum is enough.
      double shift = meanBound[r] + Bounds.F32 * centred;
      double relative =
          2 * Bounds.sum(width) + 8 * Bounds.F32 + shift * shift * sq(expectedRstd[r]);
      rstdBound[r] = Math.max(rstdBound[r], relative * expectedRstd[r]);
      bound[i] =
          Math.abs(weight[i % width]) * expectedRstd[r] * (shift + relative * centred)
              + 2 * Bounds.F32 * (Math.abs(expected[i]) + Math.abs(bias[i % width]));
    }
    Expect.close(what, lab.read(out), expected, bound, width);
    if (withStatistics) {
      Expect.close(what + ", mean", lab.read(mean), expectedMean, meanBound, 1);
      Expect.close(what + ", rstd", lab.read(rstd), expectedRstd, rstdBound, 1);
    }
  }

  private static double sq(double x) {
    return x * x;
  }
}
