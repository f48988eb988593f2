package dev.llama.naive;

import static dev.llama.naive.NaiveTensor.ints;
import static dev.llama.naive.NaiveTensor.set;
import static dev.llama.naive.NaiveTensor.values;

import dev.llama.InvalidInputException;
import dev.llama.spi.AttentionDropout;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.Batch;
import dev.llama.spi.Ops;
import dev.llama.spi.RopeTable;
import dev.llama.spi.Tensor;
import java.util.Arrays;
import java.util.List;

/** Copies the inputs, calls {@link Scalar}, stores the result: aliasing does no harm. */
class NaiveOps implements Ops {
  @Override
  public void embed(Tensor out, Tensor table, Tensor indices) {
    double[] rows = values(table);
    int[] index = ints(indices);
    int width = (int) table.width();
    double[] result = new double[index.length * width];
    for (int r = 0; r < index.length; r++) {
      System.arraycopy(rows, index[r] * width, result, r * width, width);
    }
    set(out, result);
  }

  @Override
  public void rmsNorm(Tensor out, Tensor rstd, Tensor x, Tensor weight, float eps) {
    double[] input = values(x);
    set(out, Scalar.rmsNorm(input, values(weight), eps));
    if (rstd != null) {
      set(rstd, Scalar.rmsRstd(input, (int) weight.width(), eps));
    }
  }

  @Override
  public void layerNorm(
      Tensor out, Tensor mean, Tensor rstd, Tensor x, Tensor weight, Tensor bias, float eps) {
    double[] input = values(x);
    set(out, Scalar.layerNorm(input, values(weight), values(bias), eps));
    if (mean != null) {
      set(mean, Scalar.mean(input, (int) weight.width()));
    }
    if (rstd != null) {
      set(rstd, Scalar.layerRstd(input, (int) weight.width(), eps));
    }
  }

  @Override
  public void matmul(Tensor out, Tensor x, Tensor weight, Write write) {
    double[] product = Scalar.matmul(values(x), values(weight), (int) x.width());
    if (write == Write.ADD) {
      NaiveTensor.add(out, product);
    } else {
      set(out, product);
    }
  }

  @Override
  public void addBias(Tensor x, Tensor bias) {
    double[] vector = values(bias);
    double[] sum = values(x);
    for (int i = 0; i < sum.length; i++) {
      sum[i] += vector[i % vector.length];
    }
    set(x, sum);
  }

  @Override
  public void add(Tensor x, Tensor y) {
    NaiveTensor.add(x, values(y));
  }

  @Override
  public void rope(Tensor q, Tensor k, Tensor positions, RopeTable table) {
    for (Tensor x : List.of(q, k)) {
      set(
          x,
          Scalar.rope(
              values(x),
              ints(positions),
              values(table.inverseFrequencies()),
              table.magnitude(),
              table.pairing(),
              1));
    }
  }

  @Override
  public void attention(
      Tensor out, Tensor lse, Tensor q, Tensor k, Tensor v, Batch batch, AttentionSpec spec) {
    List<NaiveBatch.Row> rows = ((NaiveBatch) batch).committed();
    double[][] keys = rowsOf(k);
    double[][] values = rowsOf(v);
    for (int r = 0; r < rows.size(); r++) {
      NaiveBatch.Row row = rows.get(r);
      if (row.cache() != null) {
        if (spec.dropout().isPresent()) {
          throw new InvalidInputException("attention: dropout with a KV cache");
        }
        row.cache().store(spec.layer(), row.position(), keys[r], values[r]);
      }
    }
    double[] queries = values(q);
    double[] result = new double[queries.length];
    double[] denominators = new double[rows.size() * spec.heads()];
    for (int r = 0; r < rows.size(); r++) {
      NaiveBatch.Row row = rows.get(r);
      if (row.cache() != null) {
        Scalar.History history = row.cache().history(spec.layer());
        Scalar.attend(result, denominators, queries, r, row.position(), history, spec);
      } else {
        int start = row.sequenceStart();
        Scalar.History history = new RowHistory(keys, values, start);
        Scalar.Factors factors = dropout(spec, r, start);
        Scalar.attend(result, denominators, queries, r, r - start, history, spec, factors);
      }
    }
    set(out, result);
    if (lse != null) {
      set(lse, denominators);
    }
  }

  /** Keys and values of a sequence that is rows of the batch. */
  record RowHistory(double[][] keys, double[][] values, int start) implements Scalar.History {
    @Override
    public double[] key(int position) {
      return keys[start + position];
    }

    @Override
    public double[] value(int position) {
      return values[start + position];
    }
  }

  /** What the weights of a row are multiplied with; positions count from the sequence's start. */
  static Scalar.Factors dropout(AttentionSpec spec, int row, int start) {
    if (spec.dropout().isEmpty()) {
      return Scalar.Factors.NONE;
    }
    AttentionDropout dropout = spec.dropout().get();
    int[] seed = ints(dropout.seed());
    return (head, position) -> {
      int hash = AttentionDropout.queryHash(seed[0], seed[1], spec.layer(), head, row);
      boolean kept = AttentionDropout.keeps(hash, start + position, dropout.threshold());
      return kept ? 1 / (1 - (double) dropout.probability()) : 0;
    };
  }

  static double[][] rowsOf(Tensor tensor) {
    double[] all = values(tensor);
    int width = (int) tensor.width();
    double[][] rows = new double[(int) tensor.rows()][];
    for (int r = 0; r < rows.length; r++) {
      rows[r] = Arrays.copyOfRange(all, r * width, (r + 1) * width);
    }
    return rows;
  }

  @Override
  public void swiGlu(Tensor out, Tensor gate, Tensor up) {
    set(out, Scalar.swiGlu(values(gate), values(up)));
  }

  @Override
  public void gelu(Tensor out, Tensor x) {
    set(out, Scalar.gelu(values(x)));
  }

  @Override
  public void argmax(Tensor out, Tensor x) {
    int[] best = Scalar.argmax(values(x), (int) x.width());
    set(out, Arrays.stream(best).asDoubleStream().toArray());
  }
}
