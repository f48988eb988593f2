package dev.llama;

import java.util.List;

/**
 * One step of a {@link Generation}.
 *
 * @param id token id
 * @param text text that became certain with this token: whole characters only, possibly none (the
 *     rest of a character, or of what may become a stop string, is held back), possibly several
 * @param logProbability natural logarithm of the token's probability under the model's raw logits,
 *     or {@code NaN} unless {@link GenerationOptions#logProbabilities()} asks for it
 * @param alternatives the most likely tokens of this step, best first; as many as {@link
 *     GenerationOptions#logProbabilities()} asks for
 */
public record GeneratedToken(
    int id, String text, float logProbability, List<TokenProbability> alternatives) {
  /** Copies the list. */
  public GeneratedToken {
    alternatives = List.copyOf(alternatives);
  }
}
