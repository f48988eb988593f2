package dev.llama.spi.conformance;

import dev.llama.DType;
import dev.llama.naive.Scalar;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.Batch;
import dev.llama.spi.KvCache;
import dev.llama.spi.KvShape;
import dev.llama.spi.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Sequences that grow step by step, on the backend and in the host's memory, and the comparison of
 * both after each step. Queries, keys and values depend on the sequence's seed, the layer and the
 * position alone, so that the same sequence comes out of any cut into steps.
 */
final class AttentionRun {
  private final Lab lab;
  private final String name;
  private final AttentionSpec spec;
  private final KvShape shape;
  private double scoreScale = 1;

  AttentionRun(Lab lab, AttentionSpec spec, DType type, int layers, int maxPositions) {
    this.lab = lab;
    this.spec = spec;
    this.shape = new KvShape(layers, spec.keyValueHeads(), spec.headDim(), type, maxPositions);
    this.name =
        String.format(
            "attention heads=%d/%d headDim=%d window=%d cache %s",
            spec.heads(), spec.keyValueHeads(), spec.headDim(), spec.window(), type);
  }

  static AttentionSpec spec(int heads, int keyValueHeads, int headDim, int window) {
    float scale = (float) (1 / Math.sqrt(headDim));
    return new AttentionSpec(0, heads, keyValueHeads, headDim, scale, window);
  }

  /** Larger queries make larger scores. */
  AttentionRun scores(double scale) {
    scoreScale = scale;
    return this;
  }

  /** One sequence: what its keys and values are, and how many are there. */
  final class Sequence {
    final KvCache cache;
    final List<double[][]> history = new ArrayList<>(); // [position][layer * 2 + (0 key, 1 value)]
    long seed;

    private Sequence(KvCache cache, long seed) {
      this.cache = cache;
      this.seed = seed;
    }

    int length() {
      return history.size();
    }

    /** A copy that goes on differently. */
    Sequence fork(long newSeed) {
      Sequence copy = new Sequence(lab.keep(cache.fork()), newSeed);
      copy.history.addAll(history);
      return copy;
    }

    void truncate(int length) {
      cache.truncate(length);
      history.subList(length, history.size()).clear();
    }
  }

  /**
   * Rows of one sequence in a step.
   *
   * @param first position of the first row; of a sequence with a cache, its length
   */
  record Part(Sequence sequence, int first, int count) {}

  Sequence open(long seed) {
    return new Sequence(lab.cache(shape), seed);
  }

  /** The next rows of a sequence. */
  static Part next(Sequence sequence, int count) {
    return new Part(sequence, sequence.length(), count);
  }

  /** A document without a cache. */
  Part document(long seed, int first, int count) {
    return new Part(new Sequence(null, seed), first, count);
  }

  /** Runs one sequence in steps of at most so many rows. */
  void prefill(Sequence sequence, int count, int chunk) {
    for (int left = count; left > 0; left -= chunk) {
      step(next(sequence, Math.min(left, chunk)));
    }
  }

  /**
   * Runs rows of several sequences in one batch, through all layers.
   *
   * @return the outputs of the last layer, as the backend computed them
   */
  double[] step(Part... parts) {
    Batch batch = batch(parts);
    double[] found = null;
    for (int layer = 0; layer < shape.layers(); layer++) {
      found = layer(batch, layer, parts);
    }
    batch.close();
    return found;
  }

  private Batch batch(Part... parts) {
    int rows = 0;
    for (Part part : parts) {
      rows += part.count();
      Sequence sequence = part.sequence();
      if (sequence.cache != null) {
        sequence.cache.reserve(part.first() + part.count());
      }
      for (int i = 0; i < part.count(); i++) {
        double[][] entry = new double[2 * shape.layers()][];
        for (int j = 0; j < entry.length; j++) {
          entry[j] = row(sequence.seed, part.first() + i, j, spec.keyValueHeads(), 1);
        }
        sequence.history.add(entry);
      }
    }
    Batch batch = lab.batch(rows);
    batch.clear();
    int[] tokens = new int[rows];
    for (Part part : parts) {
      batch.add(part.sequence().cache, tokens, 0, part.count(), part.first());
    }
    batch.commit();
    return batch;
  }

  private double[] row(long seed, int position, int kind, int heads, double scale) {
    Random random = new Random(seed * 1_000_003 + position * 101L + kind);
    return Lab.normal(random, heads * spec.headDim(), scale);
  }

  private double[] layer(Batch batch, int layer, Part... parts) {
    int queryWidth = spec.heads() * spec.headDim();
    int keyWidth = spec.keyValueHeads() * spec.headDim();
    int rows = batch.rows();
    double[] q = new double[rows * queryWidth];
    double[] k = new double[rows * keyWidth];
    double[] v = new double[rows * keyWidth];
    Expected expected = new Expected(rows, spec);
    int r = 0;
    for (Part part : parts) {
      Sequence sequence = part.sequence();
      int start = sequence.length() - part.count();
      Scalar.History history = history(sequence, layer);
      for (int i = 0; i < part.count(); i++, r++) {
        double[] query =
            row(sequence.seed, part.first() + i, 1000 + layer, spec.heads(), scoreScale);
        System.arraycopy(query, 0, q, r * queryWidth, queryWidth);
        System.arraycopy(history.key(start + i), 0, k, r * keyWidth, keyWidth);
        System.arraycopy(history.value(start + i), 0, v, r * keyWidth, keyWidth);
        DType stored = sequence.cache == null ? DType.F32 : shape.type();
        expected.row(q, r, start + i, history, spec, stored);
      }
    }
    AttentionSpec layerSpec =
        new AttentionSpec(
            layer, spec.heads(), spec.keyValueHeads(), spec.headDim(), spec.scale(), spec.window());
    Tensor out = lab.unset(rows, queryWidth);
    Tensor lse = rows % 2 == 0 ? null : lab.unset(rows, spec.heads());
    lab.ops()
        .attention(
            out,
            lse,
            lab.matrix(q, queryWidth),
            lab.matrix(k, keyWidth),
            lab.matrix(v, keyWidth),
            batch,
            layerSpec);
    double[] found = lab.read(out);
    String what = describe(layer, parts);
    Expect.close(what, found, expected.out, expected.outBound, queryWidth);
    if (lse != null) {
      Expect.close(what + ", lse", lab.read(lse), expected.lse, expected.lseBound, spec.heads());
    }
    return found;
  }

  private static Scalar.History history(Sequence sequence, int layer) {
    return new Scalar.History() {
      @Override
      public double[] key(int position) {
        return sequence.history.get(position)[2 * layer];
      }

      @Override
      public double[] value(int position) {
        return sequence.history.get(position)[2 * layer + 1];
      }
    };
  }

  private String describe(int layer, Part... parts) {
    StringBuilder text = new StringBuilder(name).append(" layer ").append(layer).append(", rows");
    for (Part part : parts) {
      text.append(' ')
          .append(part.sequence().cache == null ? "document " : "cached ")
          .append(part.first())
          .append("..")
          .append(part.first() + part.count() - 1);
    }
    return text.toString();
  }

  /** The formula's results and their bounds. */
  static final class Expected {
    final double[] out;
    final double[] lse;
    final double[] outBound;
    final double[] lseBound;

    Expected(int rows, AttentionSpec spec) {
      out = new double[rows * spec.heads() * spec.headDim()];
      outBound = new double[out.length];
      lse = new double[rows * spec.heads()];
      lseBound = new double[lse.length];
    }

    /**
     * A score is a sum of headDim products, off by δ. Then probabilities are off by 2δ of
     * themselves and by the rounding of exp and of their sum, and the output by that part of the
     * largest value. A cache of F16 rounds keys and values; queries and probabilities may be
     * rounded alike.
     */
    void row(
        double[] q, int r, int position, Scalar.History history, AttentionSpec spec, DType stored) {
      Scalar.attend(out, lse, q, r, position, history, spec);
      int first = Scalar.firstVisible(position, spec.window());
      int dim = spec.headDim();
      int group = spec.heads() / spec.keyValueHeads();
      double storage = stored == DType.F16 ? Bounds.F16 : 0;
      for (int head = 0; head < spec.heads(); head++) {
        int at = (r * spec.heads() + head) * dim;
        double keyNorm = 0;
        double largestValue = 0;
        for (int p = first; p <= position; p++) {
          keyNorm = Math.max(keyNorm, norm(history.key(p), head / group * dim, dim));
          for (int i = 0; i < dim; i++) {
            largestValue =
                Math.max(largestValue, Math.abs(history.value(p)[head / group * dim + i]));
          }
        }
        double score = spec.scale() * norm(q, at, dim) * keyNorm;
        double delta = score * (Bounds.sum(dim) + 2 * storage);
        double rounding = Bounds.sum(position - first + 12);
        lseBound[at / dim] = delta + rounding + 4 * Bounds.F32 * Math.abs(lse[at / dim]);
        for (int i = 0; i < dim; i++) {
          outBound[at + i] = (2 * delta + rounding + 2 * storage) * largestValue;
        }
      }
    }

    private static double norm(double[] x, int from, int count) {
      double sum = 0;
      for (int i = from; i < from + count; i++) {
        sum += x[i] * x[i];
      }
      return Math.sqrt(sum);
    }
  }
}
