package dev.llama.spi.conformance;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.llama.DType;
import dev.llama.LlamaException;
import dev.llama.naive.Scalar;
import dev.llama.spi.AttentionDropout;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.Batch;
import dev.llama.spi.KvCache;
import dev.llama.spi.KvShape;
import dev.llama.spi.Tensor;
import java.util.Arrays;
import java.util.Random;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/** Dropout of attention weights: which are dropped, the others' factor, and the gradient. */
interface DropoutChecks extends Checks {
  /** Attention with dropout over documents, on the backend and by the formula. */
  final class Case {
    final Lab lab;
    final int[] documents;
    final AttentionSpec spec;
    final float probability;
    final int[] seed;
    final int rows;
    final double[] q;
    final double[] k;
    final double[] v;
    final Tensor out;
    final Tensor lse;

    Case(Lab lab, AttentionSpec spec, float probability, int[] seed, int... documents) {
      this.lab = lab;
      this.documents = documents;
      this.probability = probability;
      this.seed = seed;
      this.spec = spec.withDropout(new AttentionDropout(probability, lab.ints(seed)));
      rows = Arrays.stream(documents).sum();
      Random random = Lab.random("dropout " + rows + " " + spec);
      q = Lab.normal(random, rows * width(), 1);
      k = Lab.normal(random, rows * keyWidth(), 1);
      v = Lab.normal(random, rows * keyWidth(), 1);
      out = lab.unset(rows, width());
      lse = lab.unset(rows, spec.heads());
    }

    int width() {
      return spec.heads() * spec.headDim();
    }

    int keyWidth() {
      return spec.keyValueHeads() * spec.headDim();
    }

    Batch batch() {
      Batch batch = lab.batch(rows);
      batch.clear();
      for (int document : documents) {
        batch.add(null, new int[document], 0, document, 0);
      }
      batch.commit();
      return batch;
    }

    double[] run() {
      Tensor keys = lab.matrix(k, keyWidth());
      Tensor values = lab.matrix(v, keyWidth());
      lab.ops().attention(out, lse, lab.matrix(q, width()), keys, values, batch(), spec);
      return lab.read(out);
    }

    /** The formula's outputs; logarithms of sums go to {@code sums}. */
    double[] expected(double[] queries, double[] keys, double[] values, double[] sums) {
      double[] result = new double[rows * width()];
      int start = 0;
      for (int document : documents) {
        int first = start;
        Scalar.History history = history(keys, values, first);
        for (int i = 0; i < document; i++) {
          int row = first + i;
          Scalar.attend(
              result,
              sums,
              queries,
              row,
              i,
              history,
              spec,
              (head, p) -> factor(head, row, first + p));
        }
        start += document;
      }
      return result;
    }

    private double factor(int head, int row, int keyRow) {
      int hash = AttentionDropout.queryHash(seed[0], seed[1], spec.layer(), head, row);
      int threshold = (int) Math.round(probability * Math.pow(2, 24));
      return AttentionDropout.keeps(hash, keyRow, threshold) ? 1 / (1 - (double) probability) : 0;
    }

    private Scalar.History history(double[] keys, double[] values, int first) {
      int width = keyWidth();
      return new Scalar.History() {
        @Override
        public double[] key(int position) {
          return Arrays.copyOfRange(
              keys, (first + position) * width, (first + position + 1) * width);
        }

        @Override
        public double[] value(int position) {
          return Arrays.copyOfRange(
              values, (first + position) * width, (first + position + 1) * width);
        }
      };
    }
  }

  /** Skips where a backend has no dropout, provided that it says so. */
  private Case supported(Case wanted) {
    try {
      wanted.run();
    } catch (LlamaException e) {
      assertTrue(e.getMessage().contains("dropout"), e.getMessage());
      assumeTrue(false, "the backend has no dropout: " + e.getMessage());
    }
    return wanted;
  }

  private Case small(float probability, int... seed) {
    return supported(new Case(lab(), AttentionRun.spec(4, 2, 6, 0), probability, seed, 9, 1, 5));
  }

  @Test
  default void dropoutFollowsItsSpecification() {
    for (int window : new int[] {0, 7}) {
      for (float probability : new float[] {0, 0.1f, 0.5f, 0.9f}) {
        for (int[] documents : new int[][] {{3, 1, 9}, {130, 17}}) {
          AttentionSpec spec = AttentionRun.spec(4, 2, 16, window);
          Case wanted = supported(new Case(lab(), spec, probability, new int[] {5, -7}, documents));
          double[] sums = new double[wanted.rows * spec.heads()];
          double[] expected = wanted.expected(wanted.q, wanted.k, wanted.v, sums);
          String what = "dropout " + probability + " of " + Arrays.toString(documents);
          double bound = 1e-4 / (1 - probability); // a wrong mask is off by 1e-2 and more
          Expect.close(
              what, wanted.run(), expected, Lab.filled(expected.length, bound), wanted.width());
          double[] sumBound = Lab.filled(sums.length, 1e-5 * (1 + 10));
          Expect.close(what + ", lse", lab().read(wanted.lse), sums, sumBound, spec.heads());
        }
      }
    }
  }

  @Test
  default void dropoutIsRepeatedForTheSameSeedAndElseNot() {
    double[] first = small(0.5f, 1, 2).run();
    Expect.same("the same seed", small(0.5f, 1, 2).run(), first, 24);
    assertTrue(!Arrays.equals(first, small(0.5f, 2, 2).run()), "first number of the seed");
    assertTrue(!Arrays.equals(first, small(0.5f, 1, 3).run()), "second number of the seed");
    AttentionSpec other = new AttentionSpec(1, 4, 2, 6, small(0, 1, 2).spec.scale(), 0);
    Case layer = new Case(lab(), other, 0.5f, new int[] {1, 2}, 9, 1, 5);
    System.arraycopy(small(0.5f, 1, 2).q, 0, layer.q, 0, layer.q.length);
    System.arraycopy(small(0.5f, 1, 2).k, 0, layer.k, 0, layer.k.length);
    System.arraycopy(small(0.5f, 1, 2).v, 0, layer.v, 0, layer.v.length);
    assertTrue(!Arrays.equals(first, layer.run()), "layer");
  }

  /** The weights of a row sum to 1 on average: with values of 1, so do the outputs. */
  @Test
  default void dropoutKeepsTheMean() {
    Case wanted = new Case(lab(), AttentionRun.spec(4, 4, 4, 0), 0.3f, new int[] {3, 4}, 300);
    Arrays.fill(wanted.v, 1);
    Arrays.fill(wanted.q, 0); // all weights alike
    double[] found = supported(wanted).run();
    double mean = Arrays.stream(found).skip(100 * wanted.width()).average().getAsDouble();
    assertTrue(Math.abs(mean - 1) < 0.01, "the mean is " + mean);
  }

  @Test
  default void gradientOfAttentionWithDropout() {
    assumeTrue(lab().backend().gradOps().isPresent(), "the backend does not train");
    for (int window : new int[] {0, 3}) {
      AttentionSpec spec = AttentionRun.spec(4, 2, 6, window);
      Case wanted = supported(new Case(lab(), spec, 0.4f, new int[] {11, 12}, 9, 1, 5));
      double[] dOut = Lab.normal(new Random(window), wanted.q.length, 1);
      Tensor dQ = lab().unset(wanted.rows, wanted.width());
      Tensor dK = lab().unset(wanted.rows, wanted.keyWidth());
      Tensor dV = lab().unset(wanted.rows, wanted.keyWidth());
      Tensor q = lab().matrix(wanted.q, wanted.width());
      Tensor k = lab().matrix(wanted.k, wanted.keyWidth());
      Tensor v = lab().matrix(wanted.v, wanted.keyWidth());
      Tensor dResult = lab().matrix(dOut, wanted.width());
      lab()
          .backend()
          .gradOps()
          .get()
          .attention(
              dQ, dK, dV, dResult, wanted.out, wanted.lse, q, k, v, wanted.batch(), wanted.spec);
      double[] sums = new double[wanted.rows * spec.heads()];
      differs("dQ", dQ, wanted.q, dOut, x -> wanted.expected(x, wanted.k, wanted.v, sums));
      differs("dK", dK, wanted.k, dOut, x -> wanted.expected(wanted.q, x, wanted.v, sums));
      differs("dV", dV, wanted.v, dOut, x -> wanted.expected(wanted.q, wanted.k, x, sums));
    }
  }

  private void differs(
      String what, Tensor found, double[] x, double[] dOut, Function<double[], double[]> forward) {
    double[] gradient = GradChecks.gradient(x, dOut, forward);
    double[] bound = Lab.filled(x.length, 1e-4);
    Expect.close(
        "gradient with dropout, " + what, lab().read(found), gradient, bound, (int) found.width());
  }

  @Test
  default void dropoutIsRefusedWithCaches() {
    AttentionSpec spec = small(0.5f, 1, 2).spec;
    KvCache cache = lab().cache(new KvShape(1, 2, 6, DType.F32, 4));
    cache.reserve(3);
    Batch batch = lab().batch(3);
    batch.clear();
    batch.add(cache, new int[3], 0, 3, 0);
    batch.commit();
    Tensor q = lab().matrix(new double[72], 24);
    Tensor k = lab().matrix(new double[36], 12);
    Tensor out = lab().unset(3, 24);
    LlamaException e =
        assertThrows(
            LlamaException.class, () -> lab().ops().attention(out, null, q, k, k, batch, spec));
    assertTrue(e.getMessage().contains("dropout"), e.getMessage());
  }
}
