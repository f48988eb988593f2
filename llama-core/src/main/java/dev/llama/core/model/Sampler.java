package dev.llama.core.model;

import dev.llama.GenerationOptions;
import dev.llama.InvalidInputException;
import dev.llama.LlamaException;
import dev.llama.TokenProbability;
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
  private double[] weights = new double[64]; // of the candidates taken so far

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

  /** Whether the choice is the largest of the raw scores, and nobody asks for any of them. */
  boolean needsBestAlone() {
    return options.temperature() == 0
        && options.logitBias().isEmpty()
        && historyWanted() == 0
        && options.logProbabilities() < 0;
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
    if (!(scores[best] > Float.NEGATIVE_INFINITY)) {
      throw new LlamaException(
          "no token can be chosen: the largest logit is "
              + scores[best]
              + "; the weights are broken, or logitBias forbids every token");
    }
    return options.temperature() == 0 ? best : draw();
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

  /** The first of the largest elements; NaN is never larger. */
  static int argmax(float[] x) {
    int best = 0;
    for (int i = 1; i < x.length; i++) {
      if (x[i] > x[best] || (x[best] != x[best] && x[i] == x[i])) {
        best = i;
      }
    }
    return best;
  }

  private int draw() {
    boolean ordered = options.topK() > 0 || options.topP() < 1;
    candidates.reset(scores);
    int kept = ordered ? keepLikeliest() : candidates.remaining();
    float top = candidates.score(0, ordered);
    double floor = top + Math.log(options.minP());
    double total = 0;
    weights = weights.length >= kept ? weights : new double[Math.max(kept, 2 * weights.length)];
    for (int i = 0; i < kept; i++) {
      float score = candidates.score(i, ordered);
      weights[i] = score < floor ? 0 : Math.exp((score - top) / options.temperature());
      total += weights[i];
    }
    double point = random.nextDouble() * total;
    int last = 0;
    for (int i = 0; i < kept; i++) {
      if (weights[i] > 0) {
        last = i;
        point -= weights[i];
        if (point < 0) {
          break;
        }
      }
    }
    return candidates.id(last, ordered);
  }

  /** Takes candidates in order until top-k or top-p says enough. Returns how many. */
  private int keepLikeliest() {
    int limit =
        options.topK() > 0
            ? Math.min(options.topK(), candidates.remaining())
            : candidates.remaining();
    if (options.topP() >= 1) {
      for (int i = 0; i < limit; i++) {
        candidates.take();
      }
      return limit;
    }
    float top = candidates.peek();
    double mass = 0;
    if (options.topK() > 0) {
      for (int i = 0; i < limit; i++) {
        mass += Math.exp(candidates.take() - top);
      }
    } else {
      mass = candidates.mass(top);
    }
    double reached = 0;
    for (int i = 0; i < limit; i++) {
      float score = options.topK() > 0 ? candidates.score(i, true) : candidates.take();
      reached += Math.exp(score - top);
      if (reached >= options.topP() * mass) {
        return i + 1;
      }
    }
    return limit;
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
      best.add(new TokenProbability(candidates.id(i, true), (float) (score - logSumExp)));
    }
    return best;
  }

  /** Logarithm of the sum of exponentials: what turns logits into log-probabilities. */
  static double logSumExp(float[] logits) {
    float top = logits[argmax(logits)];
    double sum = 0;
    for (float logit : logits) {
      sum += Math.exp(logit - top);
    }
    return top + Math.log(sum);
  }
}
