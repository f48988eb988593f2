package dev.llama.train;

/**
 * How well a model predicts texts that it was not trained on.
 *
 * @param loss mean cross-entropy over all targets, natural logarithm
 * @param targets number of tokens that were predicted
 * @param batches number of batches
 * @param seconds duration
 */
public record Evaluation(double loss, long targets, long batches, double seconds) {
  /**
   * Returns how many tokens the model wavers between, on geometric average.
   *
   * @return exp(loss)
   */
  public double perplexity() {
    return Math.exp(loss);
  }
}
