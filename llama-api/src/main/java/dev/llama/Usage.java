package dev.llama;

/**
 * What a generation took so far.
 *
 * @param promptTokens tokens of the prompt that were run
 * @param generatedTokens tokens produced, a final stop token included
 * @param prefillSeconds time for the prompt, up to the first logits
 * @param decodeSeconds time for the tokens produced after the first, sampling included
 */
public record Usage(
    int promptTokens, int generatedTokens, double prefillSeconds, double decodeSeconds) {

  /**
   * Returns the prompt's speed.
   *
   * @return tokens per second, or 0 before any prompt token has run
   */
  public double prefillTokensPerSecond() {
    return prefillSeconds > 0 ? promptTokens / prefillSeconds : 0;
  }

  /**
   * Returns the speed of the tokens after the first (the first comes out of the prefill).
   *
   * @return tokens per second, or 0 before the second token
   */
  public double decodeTokensPerSecond() {
    return decodeSeconds > 0 ? Math.max(0, generatedTokens - 1) / decodeSeconds : 0;
  }
}
