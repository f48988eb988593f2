package dev.llama.core.model;

import dev.llama.GenerationOptions;
import dev.llama.InvalidInputException;
import dev.llama.LlamaException;
import dev.llama.TokenProbability;
import dev.llama.spi.Draw;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * Chooses a token by the chain that {@link GenerationOptions} documents. For one generation; its
 * memory is reused from token to token.
 */
final class Sampler {
  private final GenerationOptions options;
  private final long seed;

  /** Its algorithm is specified, so that a seed means the same text on every Java. */
  private final Random random;

  private final float[] scores; // [vocab]: logits after bias and penalties
  private final Candidates candidates;
  private long[] weights = new long[64]; // of the candidates that are kept

  Sampler(GenerationOptions options, int vocabSize) {
    this.options = options;
    seed = options.seed().orElseGet(() -> new Random().nextLong());
    random = new Random(SplitMix64.mix(seed)); // seeds that are neighbours begin far apart
    scores = new float[vocabSize];
    candidates = new Candidates(vocabSize);
    for (int id : options.logitBias().keySet()) {
      if (id >= vocabSize) {
        throw new InvalidInputException(
            "logitBias has token " + id + ", the vocabulary has ids 0 to " + (vocabSize - 1));
      }
    }
  }

  long seed() {
    return seed;
  }

  /** Whether the choice is the largest score, and nothing is drawn. */
  boolean isGreedy() {
    return options.temperature() == 0;
  }

  /** Whether the raw scores decide, and nobody asks for any of them. */
  boolean leavesScoresAlone() {
    return options.logitBias().isEmpty() && historyWanted() == 0 && options.logProbabilities() < 0;
  }

  /** The next choice from the raw scores. A draw uses up a random number. */
  Choice nextChoice() {
    return isGreedy() ? Choice.BEST : new Choice(nextDraw());
  }

  private Draw nextDraw() {
    return new Draw(
        options.temperature(), options.topK(), options.topP(), options.minP(), random.nextDouble());
  }

  /** How many last tokens {@link #sample} wants to see. */
  int historyWanted() {
    boolean penalties =
        options.repetitionPenalty() != 1
            || options.frequencyPenalty() != 0
            || options.presencePenalty() != 0;
    if (!penalties) {
      return 0;
    }
    return options.penaltyWindow() < 0 ? Integer.MAX_VALUE : options.penaltyWindow();
  }

  /**
   * Chooses the next token.
   *
   * @param logits raw scores, [vocab]; not modified
   * @param history the last tokens
   * @return token id
   */
  int sample(float[] logits, int[] history) {
    System.arraycopy(logits, 0, scores, 0, scores.length);
    options.logitBias().forEach((id, bias) -> scores[id] += bias);
    penalize(history);
    int best = argmax(scores);
    if (best == Draw.NOTHING) {
      throw nothingToChoose();
    }
    return isGreedy() ? best : draw(nextDraw(), scores[best]);
  }

  /** The failure of a step whose scores are broken. */
  static LlamaException nothingToChoose() {
    return new LlamaException(
        "no token can be chosen: a logit is NaN or infinite, or all are negative infinity; the"
            + " weights are broken, a computation overflowed, or logitBias forbids every token");
  }

  private void penalize(int[] history) {
    if (history.length == 0) {
      return;
    }
    Map<Integer, Integer> counts = new HashMap<>();
    for (int id : history) {
      counts.merge(id, 1, Integer::sum);
    }
    counts.forEach(
        (id, count) -> {
          float score = scores[id];
          score *= score > 0 ? 1 / options.repetitionPenalty() : options.repetitionPenalty();
          scores[id] = score - count * options.frequencyPenalty() - options.presencePenalty();
        });
  }

  /**
   * The first of the largest elements; {@link Draw#NOTHING} if one is NaN or positive infinity, or
   * all are negative infinity.
   */
  static int argmax(float[] x) {
    int best = Draw.NOTHING;
    float largest = Float.NEGATIVE_INFINITY;
    for (int i = 0; i < x.length; i++) {
      if (!(x[i] <= largest)) {
        if (!(x[i] < Float.POSITIVE_INFINITY)) {
          return Draw.NOTHING;
        }
        largest = x[i];
        best = i;
      }
    }
    return best;
  }

  /** Draws from the scores, as {@link Draw} defines. */
  private int draw(Draw draw, float top) {
    candidates.reset(scores);
    boolean all = draw.topK() == 0 && draw.topP() >= 1;
    int count = all ? candidates.remaining() : keepLikeliest(draw, top);
    int[] ids = all ? candidates.all() : candidates.firstTaken(count);
    weights = count <= weights.length ? weights : new long[Math.max(count, 2 * weights.length)];
    double least = draw.least(top);
    long sum = 0;
    for (int i = 0; i < count; i++) {
      float score = scores[ids[i]];
      weights[i] = score < least ? 0 : Draw.weight((score - top) / draw.temperature());
      sum += weights[i];
    }
    long left = draw.point(sum);
    int chosen = 0;
    while (left >= weights[chosen]) {
      left -= weights[chosen++];
    }
    return ids[chosen];
  }

  /** Takes candidates until top-k or top-p says enough. Returns how many are kept. */
  private int keepLikeliest(Draw draw, float top) {
    int limit = candidates.remaining();
    long sum = 0;
    if (draw.topK() > 0) {
      limit = Math.min(draw.topK(), limit);
      for (int i = 0; i < limit; i++) {
        sum += Draw.weight(candidates.take() - top);
      }
    } else {
      sum = candidates.weight(top);
    }
    if (draw.topP() >= 1) {
      return limit;
    }
    long missing = draw.needed(sum);
    int kept = 0;
    while (missing > 0) {
      float score = draw.topK() > 0 ? candidates.takenScore(kept) : candidates.take();
      missing -= Draw.weight(score - top);
      kept++;
    }
    return kept;
  }

  /**
   * The likeliest tokens with their log-probabilities.
   *
   * @param logits raw scores, [vocab]
   * @param count how many
   * @return best first
   */
  List<TokenProbability> likeliest(float[] logits, int count, double logSumExp) {
    List<TokenProbability> best = new ArrayList<>();
    candidates.reset(logits);
    for (int i = 0; i < count && candidates.remaining() > 0; i++) {
      float score = candidates.take();
      best.add(new TokenProbability(candidates.taken(i), (float) (score - logSumExp)));
    }
    return best;
  }

  /** Logarithm of the sum of exponentials: what turns logits into log-probabilities. */
  static double logSumExp(float[] logits) {
    float top = Float.NEGATIVE_INFINITY;
    for (float logit : logits) {
      top = Math.max(top, logit);
    }
    double sum = 0;
    for (float logit : logits) {
      sum += Math.exp(logit - top);
    }
    return top + Math.log(sum);
  }
}
