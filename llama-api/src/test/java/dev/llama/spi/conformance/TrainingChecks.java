package dev.llama.spi.conformance;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.llama.naive.Scalar;
import dev.llama.spi.GradOps;
import dev.llama.spi.Tensor;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Loss, norm of gradients, and the optimizer. */
interface TrainingChecks extends Checks {

  private GradOps training() {
    assumeTrue(lab().backend().gradOps().isPresent(), "the backend does not train");
    return lab().backend().gradOps().get();
  }

  @Test
  default void crossEntropyAndItsGradient() {
    GradOps grad = training();
    int[][] sizes = {{1, 1}, {3, 17}, {6, 129}, {2, 32003}};
    for (int[] size : sizes) {
      for (double deviation : new double[] {1, 30, 1000}) {
        String what =
            "crossEntropy rows=" + size[0] + " width=" + size[1] + " deviation=" + deviation;
        Random random = Lab.random(what);
        int width = size[1];
        double[] logits = Lab.normal(random, size[0] * width, deviation);
        int[] targets = new int[size[0]];
        for (int r = 0; r < targets.length; r++) {
          targets[r] = r == 1 ? -1 : random.nextInt(width);
        }
        double scale = (float) 0.3;
        double[] loss = Scalar.crossEntropy(logits, targets);
        double[] denominators = Scalar.logSumExp(logits, width);
        double[] lossBound = new double[loss.length];
        double[] gradient = new double[logits.length];
        double[] bound = new double[logits.length];
        for (int i = 0; i < logits.length; i++) {
          int r = i / width;
          if (targets[r] >= 0) {
            double lse = denominators[r];
            double relative = Bounds.sum(width) + 8 * Bounds.F32 * (1 + Math.abs(lse));
            double probability = Math.exp(logits[i] - lse);
            double hot = i % width == targets[r] ? 1 : 0;
            gradient[i] = (probability - hot) * scale;
            bound[i] =
                scale * ((relative + 4 * Bounds.F32 * Math.abs(logits[i])) * probability)
                    + 4 * Bounds.F32 * scale * hot
                    + Float.MIN_NORMAL;
            lossBound[r] = relative + 4 * Bounds.F32 * Math.abs(logits[r * width + targets[r]]);
          }
        }
        Tensor found = lab().unset(size[0]);
        Tensor dLogits = lab().unset(size[0], width);
        Tensor input = lab().matrix(logits, width);
        Tensor wanted = lab().ints(targets);
        Tensor factor = lab().vector(new double[] {scale});
        grad.crossEntropy(found, dLogits, input, wanted, factor);
        Expect.close(what, lab().read(found), loss, lossBound, 1);
        Expect.close(what + ", dLogits", lab().read(dLogits), gradient, bound, width);
        Tensor lossAlone = lab().unset(size[0]);
        grad.crossEntropy(lossAlone, null, input, wanted, factor);
        Expect.close(what + ", loss alone", lab().read(lossAlone), loss, lossBound, 1);
        Expect.same(what + ", logits", lab().read(input), logits, width);
        grad.crossEntropy(lossAlone, input, input, wanted, factor);
        Expect.close(what + ", dLogits in place", lab().read(input), gradient, bound, width);
      }
    }
  }

  @Test
  default void sumOfSquaresAdds() {
    GradOps grad = training();
    for (int[] size : new int[][] {{1, 1}, {1, 33}, {3, 129}, {64, 4099}}) {
      String what = "sumOfSquares of " + size[0] + " x " + size[1];
      double[] x = Lab.mixed(Lab.random(what), size[0], size[1], 1);
      double expected = 2.5;
      for (double element : x) {
        expected += element * element;
      }
      Tensor sum = lab().vector(new double[] {2.5});
      grad.sumOfSquares(sum, size[0] == 1 ? lab().vector(x) : lab().matrix(x, size[1]));
      double[] bound = {Bounds.sum(x.length) * expected};
      Expect.close(what, lab().read(sum), new double[] {expected}, bound, 1);
    }
  }

  @Test
  default void adamWFollowsItsFormula() {
    GradOps grad = training();
    float beta1 = 0.9f;
    float beta2 = 0.95f;
    float decay = 0.1f;
    for (int size : new int[] {1, 3, 33, 129, 4099}) {
      for (float eps : new float[] {1e-8f, 1e-2f}) {
        String what = "adamW size=" + size + " eps=" + eps;
        Random random = Lab.random(what);
        double[] w = Lab.normal(random, size, 1);
        double[] m = new double[size];
        double[] v = new double[size];
        Tensor weight = lab().vector(w);
        Tensor first = lab().vector(m);
        Tensor second = lab().vector(v);
        for (int t = 1; t <= 4; t++) {
          double[] g = Lab.normal(random, size, 0.1);
          double[] step = {
            (float) (0.01 / t),
            (float) (1 - Math.pow(beta1, t)),
            (float) (1 - Math.pow(beta2, t)),
            t == 2 ? 0.25 : 1
          };
          grad.adamW(
              weight, first, second, lab().vector(g), lab().vector(step), beta1, beta2, eps, decay);
          for (int i = 0; i < size; i++) {
            double clipped = g[i] * step[3];
            m[i] = beta1 * m[i] + (1.0 - beta1) * clipped;
            v[i] = beta2 * v[i] + (1.0 - beta2) * clipped * clipped;
            double update = m[i] / step[1] / (Math.sqrt(v[i] / step[2]) + eps);
            w[i] = w[i] * (1 - step[0] * decay) - step[0] * update;
          }
        }
        // 1 - beta is exact to some roundings of 1, which is that times more of itself.
        double relative = 64 * Bounds.F32;
        Expect.close(what + ", m", lab().read(first), m, Lab.filled(size, relative * 0.5), size);
        Expect.close(
            what + ", v", lab().read(second), v, Bounds.relative(v, 4 * relative, 1e-12), size);
        Expect.close(
            what + ", weight", lab().read(weight), w, Bounds.relative(w, relative, 1e-6), size);
      }
    }
  }
}
