package dev.llama.naive;

import static dev.llama.naive.NaiveTensor.ints;
import static dev.llama.naive.NaiveTensor.set;
import static dev.llama.naive.NaiveTensor.values;

import dev.llama.spi.AttentionSpec;
import dev.llama.spi.Batch;
import dev.llama.spi.GradOps;
import dev.llama.spi.Ops;
import dev.llama.spi.RopeTable;
import dev.llama.spi.Tensor;
import java.util.List;

/** The derivatives, written out. */
class NaiveGradOps implements GradOps {
  @Override
  public void embed(Tensor dTable, Tensor dOut, Tensor tokens) {
    double[] gradient = values(dOut);
    int[] ids = ints(tokens);
    int width = (int) dTable.width();
    double[] sum = new double[(int) dTable.rows() * width];
    for (int i = 0; i < gradient.length; i++) {
      sum[ids[i / width] * width + i % width] += gradient[i];
    }
    NaiveTensor.add(dTable, sum);
  }

  @Override
  public void rmsNorm(
      Tensor dX, Tensor dWeight, Tensor dOut, Tensor x, Tensor weight, Tensor rstd) {
    double[] centre = new double[values(rstd).length];
    norm(dX, dWeight, values(dOut), values(x), values(weight), centre, values(rstd), false);
  }

  @Override
  public void layerNorm(
      Tensor dX,
      Tensor dWeight,
      Tensor dBias,
      Tensor dOut,
      Tensor x,
      Tensor weight,
      Tensor mean,
      Tensor rstd) {
    double[] gradient = values(dOut);
    addBias(dBias, dOut);
    norm(dX, dWeight, gradient, values(x), values(weight), values(mean), values(rstd), true);
  }

  /**
   * With n = (x - centre) * rstd and g = dOut * weight: dX = rstd * (g - mean(g n) n [- mean(g)]).
   */
  private static void norm(
      Tensor dX,
      Tensor dWeight,
      double[] dOut,
      double[] x,
      double[] weight,
      double[] centre,
      double[] rstd,
      boolean centred) {
    int width = weight.length;
    double[] meanOfProduct = new double[rstd.length];
    double[] mean = new double[rstd.length];
    double[] gradient = new double[width];
    for (int i = 0; i < x.length; i++) {
      int r = i / width;
      double normal = (x[i] - centre[r]) * rstd[r];
      gradient[i % width] += dOut[i] * normal;
      meanOfProduct[r] += dOut[i] * weight[i % width] * normal / width;
      mean[r] += centred ? dOut[i] * weight[i % width] / width : 0;
    }
    double[] result = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      int r = i / width;
      double normal = (x[i] - centre[r]) * rstd[r];
      result[i] = rstd[r] * (dOut[i] * weight[i % width] - mean[r] - normal * meanOfProduct[r]);
    }
    set(dX, result);
    NaiveTensor.add(dWeight, gradient);
  }

  @Override
  public void matmul(
      Tensor dX, Tensor dWeight, Tensor dOut, Tensor x, Tensor weight, Ops.Write write) {
    int outputs = (int) dOut.width();
    int inputs = (int) x.width();
    double[] gradient = values(dOut);
    if (dX != null) {
      double[] product = Scalar.matmul(gradient, Scalar.transpose(values(weight), inputs), outputs);
      if (write == Ops.Write.ADD) {
        NaiveTensor.add(dX, product);
      } else {
        set(dX, product);
      }
    }
    if (dWeight != null) {
      int rows = gradient.length / outputs;
      NaiveTensor.add(
          dWeight,
          Scalar.matmul(
              Scalar.transpose(gradient, outputs), Scalar.transpose(values(x), inputs), rows));
    }
  }

  @Override
  public void addBias(Tensor dBias, Tensor dOut) {
    double[] gradient = values(dOut);
    double[] sum = new double[(int) dBias.width()];
    for (int i = 0; i < gradient.length; i++) {
      sum[i % sum.length] += gradient[i];
    }
    NaiveTensor.add(dBias, sum);
  }

  @Override
  public void rope(Tensor dQ, Tensor dK, Tensor positions, RopeTable table) {
    for (Tensor gradient : List.of(dQ, dK)) {
      set(
          gradient,
          Scalar.rope(
              values(gradient),
              ints(positions),
              values(table.inverseFrequencies()),
              table.magnitude(),
              table.pairing(),
              -1));
    }
  }

  @Override
  public void attention(
      Tensor dQ,
      Tensor dK,
      Tensor dV,
      Tensor dOut,
      Tensor out,
      Tensor lse,
      Tensor q,
      Tensor k,
      Tensor v,
      Batch batch,
      AttentionSpec spec) {
    List<NaiveBatch.Row> rows = ((NaiveBatch) batch).committed();
    int dim = spec.headDim();
    int group = spec.heads() / spec.keyValueHeads();
    double[] queries = values(q);
    double[] keys = values(k);
    double[] values = values(v);
    double[] results = values(out);
    double[] gradients = values(dOut);
    double[] denominators = values(lse);
    double[] queryGradients = new double[queries.length];
    double[] keyGradients = new double[keys.length];
    double[] valueGradients = new double[values.length];
    for (int r = 0; r < rows.size(); r++) {
      int start = rows.get(r).sequenceStart();
      int first = start + Scalar.firstVisible(r - start, spec.window());
      Scalar.Factors factors = NaiveOps.dropout(spec, r, start);
      for (int head = 0; head < spec.heads(); head++) {
        int query = (r * spec.heads() + head) * dim;
        double correction = Scalar.dot(gradients, query, results, query, dim);
        for (int other = first; other <= r; other++) {
          int key = (other * spec.keyValueHeads() + head / group) * dim;
          double score = spec.scale() * Scalar.dot(queries, query, keys, key, dim);
          double probability = Math.exp(score - denominators[r * spec.heads() + head]);
          double factor = factors.of(head, other - start);
          double dProbability = factor * Scalar.dot(gradients, query, values, key, dim);
          double dScore = probability * (dProbability - correction) * spec.scale();
          for (int i = 0; i < dim; i++) {
            queryGradients[query + i] += dScore * keys[key + i];
            keyGradients[key + i] += dScore * queries[query + i];
            valueGradients[key + i] += factor * probability * gradients[query + i];
          }
        }
      }
    }
    set(dQ, queryGradients);
    set(dK, keyGradients);
    set(dV, valueGradients);
  }

  @Override
  public void swiGlu(Tensor dGate, Tensor dUp, Tensor dOut, Tensor gate, Tensor up) {
    double[] gradient = values(dOut);
    double[] gates = values(gate);
    double[] ups = values(up);
    double[] gateGradient = new double[gates.length];
    double[] upGradient = new double[gates.length];
    for (int i = 0; i < gates.length; i++) {
      double sigmoid = Scalar.sigmoid(gates[i]);
      gateGradient[i] = gradient[i] * ups[i] * sigmoid * (1 + gates[i] * (1 - sigmoid));
      upGradient[i] = gradient[i] * gates[i] * sigmoid;
    }
    set(dGate, gateGradient);
    set(dUp, upGradient);
  }

  @Override
  public void gelu(Tensor dX, Tensor dOut, Tensor x) {
    double[] gradient = values(dOut);
    double[] inputs = values(x);
    for (int i = 0; i < gradient.length; i++) {
      gradient[i] *= Scalar.normalCdf(inputs[i]) + inputs[i] * Scalar.normalPdf(inputs[i]);
    }
    set(dX, gradient);
  }

  @Override
  public void crossEntropy(
      Tensor loss, Tensor dLogits, Tensor logits, Tensor targets, Tensor scale) {
    double[] scores = values(logits);
    int[] wanted = ints(targets);
    double factor = values(scale)[0];
    int width = (int) logits.width();
    set(loss, Scalar.crossEntropy(scores, wanted));
    if (dLogits != null) {
      double[] lse = Scalar.logSumExp(scores, width);
      double[] gradient = new double[scores.length];
      for (int i = 0; i < gradient.length; i++) {
        int r = i / width;
        if (wanted[r] >= 0) {
          double probability = Math.exp(scores[i] - lse[r]);
          gradient[i] = (probability - (i % width == wanted[r] ? 1 : 0)) * factor;
        }
      }
      set(dLogits, gradient);
    }
  }

  @Override
  public void sumOfSquares(Tensor sum, Tensor x) {
    double[] elements = values(x);
    NaiveTensor.add(sum, new double[] {Scalar.dot(elements, 0, elements, 0, elements.length)});
  }

  @Override
  public void adamW(
      Tensor weight,
      Tensor m,
      Tensor v,
      Tensor gradient,
      Tensor step,
      float beta1,
      float beta2,
      float eps,
      float decay) {
    double[] w = values(weight);
    double[] first = values(m);
    double[] second = values(v);
    double[] g = values(gradient);
    double[] now = values(step);
    for (int i = 0; i < w.length; i++) {
      double clipped = g[i] * now[3];
      first[i] = beta1 * first[i] + (1 - beta1) * clipped;
      second[i] = beta2 * second[i] + (1 - beta2) * clipped * clipped;
      w[i] =
          w[i] * (1 - now[0] * decay)
              - now[0] * (first[i] / now[1]) / (Math.sqrt(second[i] / now[2]) + eps);
    }
    set(weight, w);
    set(m, first);
    set(v, second);
  }
}
