package dev.llama.core.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.GenerationOptions;
import dev.llama.LlamaException;
import dev.llama.TokenProbability;
import dev.llama.naive.NaiveSampleOp;
import dev.llama.spi.Draw;
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
    assertEquals(3, sampler.sample(new float[] {Float.NEGATIVE_INFINITY, -2, -2, -1}, NO_HISTORY));
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
    for (GenerationOptions options : List.of(NO_FILTER, GenerationOptions.greedy())) {
      Sampler broken = new Sampler(options, 3);
      for (float wrong : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
        for (int i = 0; i < 3; i++) {
          float[] logits = {1, 2, 3};
          logits[i] = wrong;
          assertThrows(LlamaException.class, () -> broken.sample(logits, NO_HISTORY));
        }
      }
    }
  }

  /** The definition is that of the reference, which sorts everything. */
  @Test
  void drawsAreThoseOfTheDefinition() {
    Random random = new Random(3);
    for (int n = 0; n < 2000; n++) {
      float[] logits = new float[1 + random.nextInt(300)];
      boolean ties = random.nextBoolean();
      for (int i = 0; i < logits.length; i++) {
        logits[i] = ties ? random.nextInt(6) : (float) (4 * random.nextGaussian());
        logits[i] = random.nextInt(20) == 0 ? Float.NEGATIVE_INFINITY : logits[i];
      }
      logits[random.nextInt(logits.length)] = 1;
      GenerationOptions options =
          NO_FILTER
              .temperature(0.1f + 2 * random.nextFloat())
              .topK(random.nextBoolean() ? 0 : random.nextInt(50))
              .topP(random.nextBoolean() ? 1 : 1 - random.nextFloat())
              .minP(random.nextBoolean() ? 0 : random.nextFloat())
              .seed(n);
      Draw draw = new Sampler(options, logits.length).nextChoice().draw();
      assertEquals(
          NaiveSampleOp.token(logits, draw),
          new Sampler(options, logits.length).sample(logits, NO_HISTORY),
          options + " " + Arrays.toString(logits));
    }
  }

  /** Whoever draws, each draw is the next of the same row of random numbers. */
  @Test
  void choicesAndSamplesShareTheRandomNumbers() {
    Sampler sampler = new Sampler(NO_FILTER, LOGITS.length);
    Sampler other = new Sampler(NO_FILTER, LOGITS.length);
    for (int i = 0; i < 100; i++) {
      int expected = NaiveSampleOp.token(LOGITS, other.nextChoice().draw());
      assertEquals(expected, sampler.sample(LOGITS, NO_HISTORY));
      Sampler first = i % 2 == 0 ? sampler : other;
      first.nextChoice();
      (i % 2 == 0 ? other : sampler).sample(LOGITS, NO_HISTORY);
    }
    assertEquals(Choice.BEST, new Sampler(GenerationOptions.greedy(), 5).nextChoice());
  }

  @Test
  void scoresAreLeftAloneOnlyWithoutBiasPenaltiesAndReports() {
    assertTrue(new Sampler(NO_FILTER, 5).leavesScoresAlone());
    assertFalse(new Sampler(NO_FILTER.logitBias(Map.of(1, 1f)), 5).leavesScoresAlone());
    assertFalse(new Sampler(NO_FILTER.frequencyPenalty(1), 5).leavesScoresAlone());
    assertFalse(new Sampler(NO_FILTER.logProbabilities(0), 5).leavesScoresAlone());
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
        int before = candidates.taken(i - 1);
        int id = candidates.taken(i);
        assertTrue(scores[before] > scores[id] || (scores[before] == scores[id] && before < id));
      }
    }
    assertEquals(0, candidates.remaining());
  }
}
