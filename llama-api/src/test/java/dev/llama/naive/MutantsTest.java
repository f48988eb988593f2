package dev.llama.naive;

import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.llama.DType;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.Backend;
import dev.llama.spi.Batch;
import dev.llama.spi.KvCache;
import dev.llama.spi.KvShape;
import dev.llama.spi.RopeTable;
import dev.llama.spi.Tensor;
import dev.llama.spi.TensorData;
import dev.llama.spi.conformance.BackendConformance;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.Function;
import org.junit.jupiter.api.Test;

/** The suite fails on backends that are wrong in one way each. */
class MutantsTest {
  private interface Check {
    void run(BackendConformance suite) throws Exception;
  }

  private static void fails(NaiveOps ops, Check check) {
    fails(ops, new NaiveGradOps(), check);
  }

  private static void fails(NaiveOps ops, NaiveGradOps grad, Check check) {
    fails(new NaiveBackend(ops, grad), check);
  }

  private static void fails(Backend mutant, Check check) {
    BackendConformance suite =
        new BackendConformance() {
          @Override
          protected Backend open() {
            return mutant;
          }
        };
    suite.openBackend();
    suite.openLab();
    assertThrows(
        AssertionError.class,
        () -> {
          check.run(suite);
          suite.closeLab();
        },
        "the suite did not notice");
  }

  private static AttentionSpec window(AttentionSpec s, int window) {
    return new AttentionSpec(
        s.layer(), s.heads(), s.keyValueHeads(), s.headDim(), s.scale(), window);
  }

  /** Attention with another specification, so that each mutant is one line. */
  private abstract static class OtherSpec extends NaiveOps {
    abstract AttentionSpec change(AttentionSpec spec);

    @Override
    public void attention(
        Tensor out, Tensor lse, Tensor q, Tensor k, Tensor v, Batch batch, AttentionSpec spec) {
      super.attention(out, lse, q, k, v, batch, change(spec));
    }
  }

  @Test
  void windowOffByOne() {
    fails(
        new OtherSpec() {
          @Override
          AttentionSpec change(AttentionSpec spec) {
            return window(spec, spec.window() == 0 ? 0 : spec.window() + 1);
          }
        },
        BackendConformance::attentionInSlidingWindows);
  }

  @Test
  void windowIgnoredWithoutCaches() {
    fails(
        new OtherSpec() {
          @Override
          AttentionSpec change(AttentionSpec spec) {
            return window(spec, 0);
          }
        },
        BackendConformance::attentionWithoutCaches);
  }

  @Test
  void oldestPositionForgotten() {
    fails(
        new OtherSpec() {
          @Override
          AttentionSpec change(AttentionSpec spec) {
            return window(spec, 1099);
          }
        },
        BackendConformance::attentionDecodeAcrossPages);
  }

  @Test
  void layersShareOneCache() {
    fails(
        new OtherSpec() {
          @Override
          AttentionSpec change(AttentionSpec spec) {
            return new AttentionSpec(
                0, spec.heads(), spec.keyValueHeads(), spec.headDim(), spec.scale() * 1.001f, 0);
          }
        },
        BackendConformance::attentionPrefillInOneGoAndInChunks);
  }

  @Test
  void lseWithoutTheLargestScore() {
    fails(
        new NaiveOps() {
          @Override
          public void attention(
              Tensor out, Tensor lse, Tensor q, Tensor k, Tensor v, Batch batch, AttentionSpec s) {
            super.attention(out, lse, q, k, v, batch, s);
            if (lse != null) {
              ((NaiveTensor) lse).set(0, ((NaiveTensor) lse).get(0) + 1e-3);
            }
          }
        },
        BackendConformance::attentionWithoutCaches);
  }

  @Test
  void pairingSwapped() {
    fails(
        new NaiveOps() {
          @Override
          public void rope(Tensor q, Tensor k, Tensor positions, RopeTable table) {
            RopeTable.Pairing other = RopeTable.Pairing.values()[1 - table.pairing().ordinal()];
            super.rope(
                q,
                k,
                positions,
                new RopeTable(table.inverseFrequencies(), table.magnitude(), other));
          }
        },
        BackendConformance::ropeOfAwkwardSizes);
  }

  @Test
  void magnitudeIgnored() {
    fails(
        new NaiveOps() {
          @Override
          public void rope(Tensor q, Tensor k, Tensor positions, RopeTable table) {
            RopeTable plain = new RopeTable(table.inverseFrequencies(), 1, table.pairing());
            super.rope(q, k, positions, plain);
          }
        },
        BackendConformance::ropeScalesByItsMagnitude);
  }

  @Test
  void epsAddedToTheRoot() {
    fails(
        new NaiveOps() {
          @Override
          public void rmsNorm(Tensor out, Tensor rstd, Tensor x, Tensor weight, float eps) {
            super.rmsNorm(out, rstd, x, weight, eps * eps);
          }
        },
        BackendConformance::rmsNormOfLargeAndSmallMagnitudes);
  }

  @Test
  void lastInputForgotten() {
    NaiveOps mutant =
        new NaiveOps() {
          @Override
          public void matmul(Tensor out, Tensor x, Tensor weight, Write write) {
            if (x.width() < 300) {
              super.matmul(out, x, weight, write);
              return;
            }
            double[] input = NaiveTensor.values(x);
            for (int i = (int) x.width() - 1; i < input.length; i += (int) x.width()) {
              input[i] = 0;
            }
            NaiveTensor copy = new NaiveTensor(DType.F32, input, 0, x.shape());
            super.matmul(out, copy, weight, write);
          }
        };
    fails(mutant, BackendConformance::matmulOfAwkwardSizes);
    fails(mutant, BackendConformance::matmulOfLongRows);
    for (DType type : new DType[] {DType.F16, DType.BF16, DType.Q8_0, DType.Q4_0, DType.Q4_K}) {
      fails(mutant, suite -> suite.matmulWithWeightsOfType(type));
    }
  }

  @Test
  void addTakenForSet() {
    fails(
        new NaiveOps() {
          @Override
          public void matmul(Tensor out, Tensor x, Tensor weight, Write write) {
            super.matmul(out, x, weight, Write.SET);
          }
        },
        BackendConformance::matmulAddsToItsOutput);
  }

  @Test
  void outputOverrun() {
    fails(
        new NaiveOps() {
          @Override
          public void add(Tensor x, Tensor y) {
            super.add(x, y);
            ((NaiveTensor) x).set(((NaiveTensor) x).size(), 1);
          }
        },
        BackendConformance::addAddsElements);
  }

  @Test
  void lastAmongEquals() {
    fails(
        new NaiveOps() {
          @Override
          public void argmax(Tensor out, Tensor x) {
            double[] values = NaiveTensor.values(x);
            int width = (int) x.width();
            double[] best = new double[values.length / width];
            for (int i = 0; i < values.length; i++) {
              int r = i / width;
              best[r] = values[i] >= values[r * width + (int) best[r]] ? i % width : best[r];
            }
            NaiveTensor.set(out, best);
          }
        },
        BackendConformance::argmaxTakesTheFirstAmongEquals);
  }

  @Test
  void geluByTheHyperbolicTangent() {
    fails(
        new NaiveOps() {
          @Override
          public void gelu(Tensor out, Tensor x) {
            double[] values = NaiveTensor.values(x);
            for (int i = 0; i < values.length; i++) {
              double v = values[i];
              double inner = Math.sqrt(2 / Math.PI) * (v + 0.044715 * v * v * v);
              values[i] = v / 2 * (1 + Math.tanh(inner));
            }
            NaiveTensor.set(out, values);
          }
        },
        BackendConformance::geluOfAwkwardSizesAndInPlace);
  }

  @Test
  void gradientOfWeightsSetInsteadOfAdded() {
    fails(
        new NaiveOps(),
        new NaiveGradOps() {
          @Override
          public void addBias(Tensor dBias, Tensor dOut) {
            NaiveTensor.set(dBias, new double[(int) dBias.width()]);
            super.addBias(dBias, dOut);
          }
        },
        BackendConformance::gradientOfAddBias);
  }

  @Test
  void gradientOfRopeRotatesForward() {
    fails(
        new NaiveOps(),
        new NaiveGradOps() {
          @Override
          public void rope(Tensor dQ, Tensor dK, Tensor positions, RopeTable table) {
            new NaiveOps().rope(dQ, dK, positions, table);
          }
        },
        BackendConformance::gradientOfRope);
  }

  @Test
  void decayCoupledToTheGradient() {
    fails(
        new NaiveOps(),
        new NaiveGradOps() {
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
            double[] coupled = NaiveTensor.values(weight);
            double[] g = NaiveTensor.values(gradient);
            for (int i = 0; i < g.length; i++) {
              coupled[i] = g[i] + decay * coupled[i];
            }
            NaiveTensor sum = new NaiveTensor(DType.F32, coupled, 0, gradient.shape());
            super.adamW(weight, m, v, sum, step, beta1, beta2, eps, 0);
          }
        },
        BackendConformance::adamWFollowsItsFormula);
  }

  @Test
  void droppedWeightsNotMadeUpFor() {
    fails(
        new OtherSpec() {
          @Override
          AttentionSpec change(AttentionSpec spec) {
            return spec.dropout().isEmpty() ? spec : window(spec, spec.window());
          }
        },
        BackendConformance::dropoutFollowsItsSpecification);
  }

  @Test
  void gradientWithoutDropout() {
    fails(
        new NaiveOps(),
        new NaiveGradOps() {
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
            AttentionSpec plain = window(spec, spec.window());
            super.attention(dQ, dK, dV, dOut, out, lse, q, k, v, batch, plain);
          }
        },
        BackendConformance::gradientOfAttentionWithDropout);
  }

  /** A backend with another kind of cache. */
  private static Backend caches(Function<KvShape, KvCache> make) {
    return new NaiveBackend() {
      @Override
      public KvCache newKvCache(KvShape shape) {
        return make.apply(shape);
      }
    };
  }

  @Test
  void truncatedForkWritesIntoSharedPages() {
    class Mutant extends NaiveKvCache {
      private final double[][] pages;
      private int used;

      Mutant(KvShape shape, double[][] pages, int used) {
        super(shape, pages);
        this.pages = pages;
        this.used = used;
      }

      @Override
      public int length() {
        return used;
      }

      @Override
      public void reserve(int length) {
        used = length;
      }

      @Override
      public void truncate(int length) {
        used = length;
      }

      @Override
      public KvCache fork() {
        return new Mutant(shape(), pages, used); // copies nothing on write
      }
    }
    Backend mutant = caches(shape -> new Mutant(shape, new double[2 * shape.layers() * 800][], 0));
    fails(mutant, BackendConformance::forksAreIndependent);
    fails(mutant, BackendConformance::truncatedForksLeaveTheOthersAlone);
    fails(mutant, BackendConformance::cacheRefusesLengthsOutOfRange);
    fails(mutant, BackendConformance::cacheTakesMemoryAsItGrows);
  }

  @Test
  void nibblesSwapped() {
    Backend mutant =
        new NaiveBackend() {
          @Override
          public Tensor load(TensorData weight) {
            NaiveTensor tensor = (NaiveTensor) super.load(weight);
            for (int i = 0; weight.type() == DType.Q4_0 && i < tensor.size(); i++) {
              if (i % 32 < 16) {
                double low = tensor.get(i);
                tensor.set(i, tensor.get(i + 16));
                tensor.set(i + 16, low);
              }
            }
            return tensor;
          }
        };
    fails(mutant, suite -> suite.matmulWithWeightsOfType(DType.Q4_0));
    fails(mutant, suite -> suite.matmulSelectsColumnsOfType(DType.Q4_0));
    fails(mutant, suite -> suite.embedSelectsRowsOfType(DType.Q4_0));
  }

  /** What int8 activations would blur shows in unit rows. */
  @Test
  void weightsSlightlyOff() {
    Backend mutant =
        new NaiveBackend() {
          @Override
          public Tensor load(TensorData weight) {
            NaiveTensor tensor = (NaiveTensor) super.load(weight);
            for (int i = 0; i < tensor.size(); i++) {
              tensor.set(i, tensor.get(i) * 1.01);
            }
            return tensor;
          }
        };
    for (DType type : new DType[] {DType.F32, DType.F16, DType.Q8_0, DType.Q4_K, DType.Q6_K}) {
      fails(mutant, suite -> suite.matmulSelectsColumnsOfType(type));
    }
  }

  @Test
  void subnormalsFlushedToZero() {
    Backend mutant =
        new NaiveBackend() {
          @Override
          public Tensor load(TensorData weight) {
            NaiveTensor tensor = (NaiveTensor) super.load(weight);
            for (int i = 0; i < tensor.size(); i++) {
              tensor.set(i, Math.abs(tensor.get(i)) < 0x1p-14 ? 0 : tensor.get(i));
            }
            return tensor;
          }
        };
    fails(mutant, suite -> suite.everySixteenBitNumberIsRead(DType.F16));
  }

  @Test
  void bigEndianCopies() {
    Backend mutant =
        new NaiveBackend() {
          @Override
          public void write(Tensor destination, ByteBuffer source) {
            ByteBuffer swapped = ByteBuffer.allocate(source.remaining()).order(source.order());
            while (source.remaining() >= 4) {
              swapped.putInt(
                  source.order() == ByteOrder.BIG_ENDIAN
                      ? Integer.reverseBytes(source.getInt())
                      : source.getInt());
            }
            super.write(destination, swapped.flip());
          }
        };
    fails(mutant, BackendConformance::copiesAreLittleEndianWhateverTheBuffer);
  }
}
