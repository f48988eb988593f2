package dev.llama.naive;

import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.llama.spi.Backend;
import dev.llama.spi.Draw;
import dev.llama.spi.conformance.BackendConformance;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** The suite fails on backends that draw wrongly in one way each. */
class SampleMutantsTest {
  private static void fails(NaiveSampleOp mutant, Consumer<BackendConformance> check) {
    BackendConformance suite =
        new BackendConformance() {
          @Override
          protected Backend open() {
            return new NaiveBackend(new NaiveOps(), new NaiveGradOps(), mutant);
          }
        };
    suite.openBackend();
    suite.openLab();
    assertThrows(AssertionError.class, () -> check.accept(suite), "the suite did not notice");
    suite.closeLab();
  }

  /** Draws with other parameters, so that each mutant is one line. */
  private abstract static class OtherDraw extends NaiveSampleOp {
    abstract Draw change(Draw draw);

    @Override
    int choose(float[] logits, Draw draw) {
      return super.choose(logits, change(draw));
    }
  }

  @Test
  void topKOffByOne() {
    fails(
        new OtherDraw() {
          @Override
          Draw change(Draw d) {
            int topK = d.topK() == 0 ? 0 : Math.max(d.topK(), d.topK() + 1);
            return new Draw(d.temperature(), topK, d.topP(), d.minP(), d.uniform());
          }
        },
        BackendConformance::samplesTheLikeliest);
  }

  @Test
  void topPNextToTheOneAskedFor() {
    fails(
        new OtherDraw() {
          @Override
          Draw change(Draw d) {
            return new Draw(d.temperature(), d.topK(), d.topP() * 0.98f, d.minP(), d.uniform());
          }
        },
        BackendConformance::samplesTheNucleus);
  }

  @Test
  void minPForgotten() {
    fails(
        new OtherDraw() {
          @Override
          Draw change(Draw d) {
            return new Draw(d.temperature(), d.topK(), d.topP(), 0, d.uniform());
          }
        },
        BackendConformance::samplesWhatIsLikelyEnough);
  }

  @Test
  void drawnFromTheOtherEnd() {
    fails(
        new OtherDraw() {
          @Override
          Draw change(Draw d) {
            double uniform = Math.max(0, Math.nextDown(1 - d.uniform()));
            return new Draw(d.temperature(), d.topK(), d.topP(), d.minP(), uniform);
          }
        },
        BackendConformance::samplesWithoutFilters);
  }

  @Test
  void temperatureBeforeFilters() {
    fails(
        new NaiveSampleOp() {
          @Override
          int choose(float[] logits, Draw d) {
            float[] scaled = logits.clone();
            for (int i = 0; i < scaled.length; i++) {
              scaled[i] /= d.temperature();
            }
            return super.choose(scaled, new Draw(1, d.topK(), d.topP(), d.minP(), d.uniform()));
          }
        },
        BackendConformance::samplesWhatIsLikelyEnough);
  }

  /** Equals are told apart by the sign of zero, which the definition does not see. */
  @Test
  void minusZeroBelowZero() {
    fails(
        new NaiveSampleOp() {
          @Override
          int choose(float[] logits, Draw d) {
            float[] changed = logits.clone();
            for (int i = 0; i < changed.length; i++) {
              changed[i] = Float.floatToIntBits(changed[i]) == 1 << 31 ? -1e-9f : changed[i];
            }
            return super.choose(changed, d);
          }
        },
        BackendConformance::samplesAmongEquals);
  }

  @Test
  void nanLeftOut() {
    fails(
        new NaiveSampleOp() {
          @Override
          int choose(float[] logits, Draw d) {
            float[] changed = logits.clone();
            for (int i = 0; i < changed.length; i++) {
              changed[i] = Float.isNaN(changed[i]) ? Float.NEGATIVE_INFINITY : changed[i];
            }
            return super.choose(changed, d);
          }
        },
        BackendConformance::samplesNothingFromBrokenLogits);
  }

  @Test
  void theFirstRowsDrawForAll() {
    fails(
        new NaiveSampleOp() {
          private Draw first;

          @Override
          int choose(float[] logits, Draw d) {
            first = first == null ? d : first;
            return super.choose(logits, first);
          }
        },
        BackendConformance::samplesRowByRow);
  }
}
