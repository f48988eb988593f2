package dev.llama.naive;

import dev.llama.spi.AttentionSpec;
import dev.llama.spi.RopeTable.Pairing;

/** The formulas of {@link dev.llama.spi.Ops} in double arithmetic. Matrices are row-major. */
public final class Scalar {
  private Scalar() {}

  /** Keys and values of one sequence in one layer, [keyValueHeads * headDim] at each position. */
  public interface History {
    double[] key(int position);

    double[] value(int position);
  }

  /** What the weights of one row are multiplied with behind the softmax: dropout. */
  public interface Factors {
    Factors NONE = (head, position) -> 1;

    double of(int head, int position);
  }

  /** x [rows, inputs] · weightᵀ, weight [outputs, inputs]. */
  public static double[] matmul(double[] x, double[] weight, int inputs) {
    int rows = x.length / inputs;
    int outputs = weight.length / inputs;
    double[] out = new double[rows * outputs];
    for (int r = 0; r < rows; r++) {
      for (int o = 0; o < outputs; o++) {
        out[r * outputs + o] = dot(x, r * inputs, weight, o * inputs, inputs);
      }
    }
    return out;
  }

  /** Sum of products of two stretches. */
  static double dot(double[] a, int fromA, double[] b, int fromB, int count) {
    double sum = 0;
    for (int i = 0; i < count; i++) {
      sum += a[fromA + i] * b[fromB + i];
    }
    return sum;
  }

  /** Rows become columns. */
  public static double[] transpose(double[] x, int width) {
    int rows = x.length / width;
    double[] out = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      out[i % width * rows + i / width] = x[i];
    }
    return out;
  }

  /** 1 / sqrt(mean(x²) + eps) of each row. */
  public static double[] rmsRstd(double[] x, int width, double eps) {
    double[] rstd = new double[x.length / width];
    for (int r = 0; r < rstd.length; r++) {
      double sum = dot(x, r * width, x, r * width, width);
      rstd[r] = 1 / Math.sqrt(sum / width + eps);
    }
    return rstd;
  }

  /** x * rstd * weight. */
  public static double[] rmsNorm(double[] x, double[] weight, double eps) {
    int width = weight.length;
    double[] rstd = rmsRstd(x, width, eps);
    double[] out = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      out[i] = x[i] * rstd[i / width] * weight[i % width];
    }
    return out;
  }

  /** Mean of each row. */
  public static double[] mean(double[] x, int width) {
    double[] mean = new double[x.length / width];
    for (int i = 0; i < x.length; i++) {
      mean[i / width] += x[i] / width;
    }
    return mean;
  }

  /** 1 / sqrt(variance + eps) of each row. */
  public static double[] layerRstd(double[] x, int width, double eps) {
    double[] mean = mean(x, width);
    double[] variance = new double[mean.length];
    for (int i = 0; i < x.length; i++) {
      double centred = x[i] - mean[i / width];
      variance[i / width] += centred * centred / width;
    }
    double[] rstd = new double[mean.length];
    for (int r = 0; r < rstd.length; r++) {
      rstd[r] = 1 / Math.sqrt(variance[r] + eps);
    }
    return rstd;
  }

  /** (x - mean) * rstd * weight + bias. */
  public static double[] layerNorm(double[] x, double[] weight, double[] bias, double eps) {
    int width = weight.length;
    double[] mean = mean(x, width);
    double[] rstd = layerRstd(x, width, eps);
    double[] out = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      int r = i / width;
      out[i] = (x[i] - mean[r]) * rstd[r] * weight[i % width] + bias[i % width];
    }
    return out;
  }

  /**
   * Rotates x [rows, heads * headDim]; headDim is twice the number of frequencies. A direction of
   * -1 is the inverse rotation.
   */
  public static double[] rope(
      double[] x,
      int[] positions,
      double[] inverseFrequencies,
      double magnitude,
      Pairing pairing,
      int direction) {
    int pairs = inverseFrequencies.length;
    int width = x.length / positions.length;
    double[] out = new double[x.length];
    for (int r = 0; r < positions.length; r++) {
      for (int head = r * width; head < (r + 1) * width; head += 2 * pairs) {
        for (int i = 0; i < pairs; i++) {
          int a = head + (pairing == Pairing.HALVES ? i : 2 * i);
          int b = pairing == Pairing.HALVES ? a + pairs : a + 1;
          double angle = direction * positions[r] * inverseFrequencies[i];
          double cos = Math.cos(angle) * magnitude;
          double sin = Math.sin(angle) * magnitude;
          out[a] = x[a] * cos - x[b] * sin;
          out[b] = x[a] * sin + x[b] * cos;
        }
      }
    }
    return out;
  }

  /**
   * One row of attention: heads of {@code q} and {@code out} at {@code row}, of the row at {@code
   * position} of its sequence.
   *
   * @param lse [rows, heads]
   */
  public static void attend(
      double[] out,
      double[] lse,
      double[] q,
      int row,
      int position,
      History history,
      AttentionSpec spec) {
    attend(out, lse, q, row, position, history, spec, Factors.NONE);
  }

  /** With dropout. */
  public static void attend(
      double[] out,
      double[] lse,
      double[] q,
      int row,
      int position,
      History history,
      AttentionSpec spec,
      Factors factors) {
    int first = firstVisible(position, spec.window());
    int dim = spec.headDim();
    double[] scores = new double[position + 1];
    for (int head = 0; head < spec.heads(); head++) {
      int query = (row * spec.heads() + head) * dim;
      int shared = head / (spec.heads() / spec.keyValueHeads()) * dim;
      double max = Double.NEGATIVE_INFINITY;
      for (int p = first; p <= position; p++) {
        scores[p] = spec.scale() * dot(q, query, history.key(p), shared, dim);
        max = Math.max(max, scores[p]);
      }
      double sum = 0;
      for (int p = first; p <= position; p++) {
        sum += Math.exp(scores[p] - max);
      }
      lse[row * spec.heads() + head] = max + Math.log(sum);
      for (int i = 0; i < dim; i++) {
        out[query + i] = 0;
      }
      for (int p = first; p <= position; p++) {
        double probability = Math.exp(scores[p] - max) / sum * factors.of(head, p);
        double[] value = history.value(p);
        for (int i = 0; i < dim; i++) {
          out[query + i] += probability * value[shared + i];
        }
      }
    }
  }

  /** First position that a row sees. */
  public static int firstVisible(int position, int window) {
    return window == 0 ? 0 : Math.max(0, position - window + 1);
  }

  public static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }

  public static double[] swiGlu(double[] gate, double[] up) {
    double[] out = new double[gate.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = gate[i] * sigmoid(gate[i]) * up[i];
    }
    return out;
  }

  public static double[] gelu(double[] x) {
    double[] out = new double[x.length];
    for (int i = 0; i < out.length; i++) {
      out[i] = x[i] * normalCdf(x[i]);
    }
    return out;
  }

  /** Probability that a standard normal number is below x: (1 + erf(x / sqrt(2))) / 2. */
  public static double normalCdf(double x) {
    double half = normalTail(Math.abs(x));
    return x < 0 ? half : 1 - half;
  }

  /** Density of the standard normal distribution. */
  public static double normalPdf(double x) {
    return Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
  }

  /** Upper tail for x >= 0: Abramowitz and Stegun 26.2.11 for small x, 26.2.14 for large x. */
  private static double normalTail(double x) {
    if (x > 40) {
      return 0;
    }
    if (x < 3) {
      double term = x;
      double sum = x;
      for (int n = 1; term > sum * 1e-17; n++) {
        term *= x * x / (2 * n + 1);
        sum += term;
      }
      return 0.5 - normalPdf(x) * sum;
    }
    double fraction = x;
    for (int n = 150; n >= 1; n--) {
      fraction = x + n / fraction;
    }
    return normalPdf(x) / fraction;
  }

  /** Column of the largest element of each row, the first among equals; -1 if it is not finite. */
  public static int[] argmax(double[] x, int width) {
    int[] best = new int[x.length / width];
    for (int i = 0; i < x.length; i++) {
      int r = i / width;
      if (x[i] > x[r * width + best[r]]) {
        best[r] = i % width;
      }
    }
    for (int r = 0; r < best.length; r++) {
      best[r] = Double.isFinite(x[r * width + best[r]]) ? best[r] : -1;
    }
    return best;
  }

  /** Logarithm of the sum of exponentials of each row. */
  public static double[] logSumExp(double[] x, int width) {
    double[] lse = new double[x.length / width];
    for (int r = 0; r < lse.length; r++) {
      double max = Double.NEGATIVE_INFINITY;
      for (int i = r * width; i < (r + 1) * width; i++) {
        max = Math.max(max, x[i]);
      }
      double sum = 0;
      for (int i = r * width; i < (r + 1) * width; i++) {
        sum += Math.exp(x[i] - max);
      }
      lse[r] = max + Math.log(sum);
    }
    return lse;
  }

  /** Cross-entropy of each row; 0 where the target is -1. */
  public static double[] crossEntropy(double[] logits, int[] targets) {
    int width = logits.length / targets.length;
    double[] loss = logSumExp(logits, width);
    for (int r = 0; r < loss.length; r++) {
      loss[r] = targets[r] < 0 ? 0 : loss[r] - logits[r * width + targets[r]];
    }
    return loss;
  }
}
