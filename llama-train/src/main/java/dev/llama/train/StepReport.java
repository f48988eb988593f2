package dev.llama.train;

/**
 * What one step of training did.
 *
 * @param step number of steps done, this one included
 * @param loss mean cross-entropy over the step's targets, natural logarithm, before the update
 * @param gradientNorm Euclidean norm of all gradients together, before clipping
 * @param learningRate of the update
 * @param targets number of tokens that were predicted
 * @param tokens number of tokens that were run, padding included
 * @param seconds duration
 * @param epochs passes through the data so far
 */
public record StepReport(
    long step,
    double loss,
    double gradientNorm,
    double learningRate,
    long targets,
    long tokens,
    double seconds,
    double epochs) {

  /**
   * Returns the speed.
   *
   * @return tokens per second
   */
  public double tokensPerSecond() {
    return tokens / seconds;
  }
}
