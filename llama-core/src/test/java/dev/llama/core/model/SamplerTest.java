package dev.llama.core.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.GenerationOptions;
import dev.llama.LlamaException;
import dev.llama.TokenProbability;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The chain of filters does what its documentation says, in that order. */
class SamplerTest {
  /** Probabilities 0.5, 0.25, 0.125, 0.0625, 0.0625 of ids 3, 1, 4, 0, 2. */
  private static final float[] LOGITS = logs(0.0625, 0.25, 0.0625, 0.5, 0.125);

  private static final GenerationOptions NO_FILTER =
      GenerationOptions.defaults().temperature(1).topK(0).topP(1).minP(0).seed(1);
  private static final int[] NO_HISTORY = {};

  private static float[] logs(double... probabilities) {
    float[] logits = new float[probabilities.length];
    for (int i = 0; i < logits.length; i++) {
      logits[i] = (float) Math.log(probabilities[i]);
    }
    return logits;
  }

  private static double[] frequencies(GenerationOptions options, float[] logits) {
    Sampler sampler = new Sampler(options, logits.length);
    double[] counts = new double[logits.length];
    int draws = 20_000;
    for (int i = 0; i < draws; i++) {
      counts[sampler.sample(logits, NO_HISTORY)] += 1.0 / draws;
    }
    return counts;
  }

  private static void assertFrequencies(GenerationOptions options, double... expected) {
    double[] found = frequencies(options, LOGITS);
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i], found[i], 0.02, Arrays.toString(found));
    }
  }

  @Test
  void withoutFiltersTokensComeAsOftenAsTheirProbability() {
    assertFrequencies(NO_FILTER, 0.0625, 0.25, 0.0625, 0.5, 0.125);
  }

  @Test
  void topKKeepsTheLargest() {
    assertFrequencies(NO_FILTER.topK(2), 0, 1 / 3.0, 0, 2 / 3.0, 0);
    assertFrequencies(NO_FILTER.topK(99), 0.0625, 0.25, 0.0625, 0.5, 0.125);
  }

  @Test
  void topPKeepsTheSmallestSetThatReachesTheMass() {
    assertFrequencies(NO_FILTER.topP(0.7f), 0, 1 / 3.0, 0, 2 / 3.0, 0);
    assertFrequencies(NO_FILTER.topP(0.76f), 0, 2 / 7.0, 0, 4 / 7.0, 1 / 7.0);
    assertFrequencies(NO_FILTER.topP(0.01f), 0, 0, 0, 1, 0);
  }

  @Test
  void topPCountsTheMassThatTopKLeft() {
    // After top-k 3 the probabilities are 4/7, 2/7, 1/7: 0.6 needs two of them.
    assertFrequencies(NO_FILTER.topK(3).topP(0.6f), 0, 1 / 3.0, 0, 2 / 3.0, 0);
    // Without top-k 2 of the whole, 0.99 of the mass of two still needs both.
    assertFrequencies(NO_FILTER.topK(2).topP(0.5f), 0, 0, 0, 1, 0);
  }

  @Test
  void minPDropsWhatIsMuchLessLikelyThanTheBest() {
    assertFrequencies(NO_FILTER.minP(0.2f), 0, 2 / 7.0, 0, 4 / 7.0, 1 / 7.0);
    assertFrequencies(NO_FILTER.topK(4).minP(0.45f), 0, 1 / 3.0, 0, 2 / 3.0, 0);
  }

  @Test
  void filtersComeBeforeTemperature() {
    // A flat temperature would let everything pass min-p if it came first.
    double[] found = frequencies(NO_FILTER.minP(0.2f).temperature(100), LOGITS);
    assertEquals(0, found[0] + found[2]);
    assertEquals(1 / 3.0, found[3], 0.02);
    double squared = 1 / 4.0 + 1 / 16.0 + 1 / 64.0 + 2 / 256.0;
    assertEquals(
        0.25 / squared, frequencies(NO_FILTER.temperature(0.5f), LOGITS)[3], 0.02, "sharper");
  }

  @Test
  void greedyTakesTheFirstOfEquals() {
    Sampler sampler = new Sampler(GenerationOptions.greedy(), 4);
    assertEquals(1, sampler.sample(new float[] {0, 2, 2, 1}, NO_HISTORY));
    assertEquals(3, sampler.sample(new float[] {Float.NaN, Float.NaN, -1, 0}, NO_HISTORY));
  }

  @Test
  void penaltiesFollowTheirFormulas() {
    float[] logits = {2, -2, 1.5f};
    int[] history = {0, 0, 1};
    // 2 / 1.25 = 1.6 stays above 1.5; 2 / 1.5 does not.
    assertEquals(0, greedy(o -> o.repetitionPenalty(1.25f), logits, history));
    assertEquals(2, greedy(o -> o.repetitionPenalty(1.5f), logits, history));
    // 2 - 2 * 0.2 = 1.6 stays above 1.5; 2 - 2 * 0.3 does not.
    assertEquals(0, greedy(o -> o.frequencyPenalty(0.2f), logits, history));
    assertEquals(2, greedy(o -> o.frequencyPenalty(0.3f), logits, history));
    assertEquals(0, greedy(o -> o.presencePenalty(0.4f), logits, history));
    assertEquals(2, greedy(o -> o.presencePenalty(0.6f), logits, history));
    // A negative logit is multiplied: -2 * 3 falls below -5.
    assertEquals(1, greedy(o -> o.repetitionPenalty(3), new float[] {-2, -5, -6}, new int[] {0}));
  }

  private static int greedy(
      java.util.function.UnaryOperator<GenerationOptions> change, float[] logits, int[] history) {
    GenerationOptions options = change.apply(GenerationOptions.greedy());
    return new Sampler(options, logits.length).sample(logits, history);
  }

  @Test
  void historyIsAskedForOnlyWhereItMatters() {
    assertEquals(0, new Sampler(NO_FILTER, 5).historyWanted());
    assertEquals(64, new Sampler(NO_FILTER.presencePenalty(1), 5).historyWanted());
    assertEquals(
        Integer.MAX_VALUE,
        new Sampler(NO_FILTER.presencePenalty(1).penaltyWindow(-1), 5).historyWanted());
  }

  @Test
  void nothingLeftToChooseIsAnError() {
    GenerationOptions forbidden =
        NO_FILTER.logitBias(Map.of(0, Float.NEGATIVE_INFINITY, 1, Float.NEGATIVE_INFINITY));
    Sampler sampler = new Sampler(forbidden, 2);
    assertThrows(LlamaException.class, () -> sampler.sample(new float[] {1, 2}, NO_HISTORY));
    Sampler broken = new Sampler(NO_FILTER, 2);
    assertThrows(
        LlamaException.class, () -> broken.sample(new float[] {Float.NaN, Float.NaN}, NO_HISTORY));
  }

  @Test
  void likeliestAreSortedWithTheirLogProbabilities() {
    Sampler sampler = new Sampler(NO_FILTER, 5);
    List<TokenProbability> best = sampler.likeliest(LOGITS, 3, Sampler.logSumExp(LOGITS));
    assertEquals(List.of(3, 1, 4), best.stream().map(TokenProbability::id).toList());
    assertEquals(Math.log(0.5), best.get(0).logProbability(), 1e-6);
    assertEquals(5, sampler.likeliest(LOGITS, 50, 0).size());
  }

  @Test
  void candidatesComeInOrderFromAnyScores() {
    float[] scores = new float[1000];
    Random random = new Random(5);
    for (int i = 0; i < scores.length; i++) {
      scores[i] = random.nextInt(50);
    }
    Candidates candidates = new Candidates(scores.length);
    candidates.reset(scores);
    for (int i = 0; i < scores.length; i++) {
      candidates.take();
      if (i > 0) {
        int before = candidates.id(i - 1, true);
        int id = candidates.id(i, true);
        assertTrue(scores[before] > scores[id] || (scores[before] == scores[id] && before < id));
      }
    }
    assertEquals(0, candidates.remaining());
  }
}
