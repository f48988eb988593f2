package dev.llama.cli;

import dev.llama.Session;
import dev.llama.train.BatchSource;
import dev.llama.train.TokenBatch;
import java.util.Arrays;
import java.util.function.IntConsumer;

/**
 * How well a model predicts a text.
 *
 * @param windows how many times the context was filled, from its beginning
 * @param scored number of predicted tokens
 * @param meanNll mean of the negative natural logarithms of their probabilities
 */
record Perplexity(int windows, int scored, double meanNll) {

  /** The number of equally likely choices that would be as hard to predict. */
  double perplexity() {
    return Math.exp(meanNll);
  }

  /**
   * Scores every token but the first, each once.
   *
   * <p>Windows of the session's context follow one another by the stride; a window scores what
   * those before it did not reach, so that from the second window on each token is predicted from
   * at least context minus stride others. If the text begins with the beginning-of-text token,
   * every window does: the model has seen no other beginnings.
   *
   * @param session empty; is left with the last window
   * @param ids the text, two or more
   * @param begins whether the first id is the beginning-of-text token
   * @param stride from 1 to the room that a window has for text
   * @param progress is told how many tokens are done
   */
  static Perplexity of(
      Session session, int[] ids, boolean begins, int stride, IntConsumer progress) {
    int prefix = begins ? 1 : 0;
    int room = session.contextSize() - prefix;
    Sum sum = new Sum();
    int scoredTo = 1; // index of the first token that has not been scored
    int windows = 0;
    for (int start = prefix; scoredTo < ids.length; start += stride) {
      int end = (int) Math.min(ids.length, (long) start + room);
      int[] window = new int[prefix + end - start];
      System.arraycopy(ids, 0, window, 0, prefix);
      System.arraycopy(ids, start, window, prefix, end - start);
      int shift = start - prefix; // from a place in the window to a place in the text
      int firstScored = scoredTo;
      session.rewind(0);
      session.append(
          Arrays.copyOf(window, window.length - 1),
          (position, logits) -> {
            int target = position + 1;
            if (shift + target >= firstScored) {
              sum.add(nll(logits, window[target]));
              progress.accept(sum.count);
            }
          });
      scoredTo = end;
      windows++;
    }
    return new Perplexity(windows, sum.count, sum.total / sum.count);
  }

  /**
   * Scores documents, each by itself, as training scores its validation data.
   *
   * @param session with a context of at least {@code length}; is left with the last document
   * @param source one pass of the documents
   * @param length tokens in a row; a longer document goes on in another
   * @param progress is told after every row
   */
  static Perplexity of(Session session, BatchSource source, int length, Runnable progress) {
    TokenBatch row = new TokenBatch(1, length);
    Sum sum = new Sum();
    int pieces = 0;
    while (source.next(row)) {
      for (int first = 0; first < length; ) {
        int end = first + 1;
        while (end < length && row.documents()[end] == row.documents()[first]) {
          end++;
        }
        pieces += score(session, row, first, end, sum) ? 1 : 0;
        first = end;
      }
      progress.run();
    }
    return new Perplexity(pieces, sum.count, sum.total / sum.count);
  }

  /** Scores what has a target between two places of a row; false if nothing has. */
  private static boolean score(Session session, TokenBatch row, int first, int end, Sum sum) {
    int[] targets = row.targets();
    int last = end;
    while (last > first && targets[last - 1] == TokenBatch.NO_TARGET) {
      last--;
    }
    if (last == first) {
      return false;
    }
    session.rewind(0);
    session.append(
        Arrays.copyOfRange(row.tokens(), first, last),
        (position, logits) -> {
          int target = targets[first + position];
          if (target != TokenBatch.NO_TARGET) {
            sum.add(nll(logits, target));
          }
        });
    return true;
  }

  /** The logarithm of the sum of exponentials, shifted by the largest so that none overflows. */
  static double nll(float[] logits, int target) {
    float largest = Float.NEGATIVE_INFINITY;
    for (float logit : logits) {
      largest = Math.max(largest, logit);
    }
    double sum = 0;
    for (float logit : logits) {
      sum += Math.exp((double) logit - largest);
    }
    return Math.log(sum) + largest - logits[target];
  }

  private static final class Sum {
    private double total;
    private int count;

    void add(double nll) {
      total += nll;
      count++;
    }
  }
}
