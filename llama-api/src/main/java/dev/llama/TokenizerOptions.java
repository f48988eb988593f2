package dev.llama;

import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What a tokenizer file may leave open. Everything is optional; what is absent comes from the file
 * or from the convention of its format.
 *
 * @param pattern the regular expression that splits text into words before byte-pair merges, for
 *     formats that need one (tiktoken ranks); absent: the Llama 3 pattern
 * @param specialTokens text and id of the special tokens; empty: those of the file, or for tiktoken
 *     ranks the 256 of Llama 3, numbered from the number of ranks on, and none for ranks of the 256
 *     single bytes alone
 * @param bos id of the token that begins a text
 * @param eos id of the token that ends a text
 */
public record TokenizerOptions(
    Optional<String> pattern,
    Map<String, Integer> specialTokens,
    OptionalInt bos,
    OptionalInt eos) {

  private static final TokenizerOptions DEFAULTS =
      new TokenizerOptions(Optional.empty(), Map.of(), OptionalInt.empty(), OptionalInt.empty());

  /** Copies the map. */
  public TokenizerOptions {
    specialTokens = Map.copyOf(specialTokens);
  }

  /**
   * Everything from the file.
   *
   * @return options with nothing set
   */
  public static TokenizerOptions defaults() {
    return DEFAULTS;
  }

  /**
   * Sets the split pattern.
   *
   * @param pattern a regular expression in the syntax of tiktoken and java.util.regex
   * @return changed options
   */
  public TokenizerOptions pattern(String pattern) {
    return new TokenizerOptions(Optional.of(pattern), specialTokens, bos, eos);
  }

  /**
   * Sets the special tokens.
   *
   * @param tokens text and id of every special token
   * @return changed options
   */
  public TokenizerOptions specialTokens(Map<String, Integer> tokens) {
    return new TokenizerOptions(pattern, tokens, bos, eos);
  }

  /**
   * Sets the token that begins a text.
   *
   * @param id token id
   * @return changed options
   */
  public TokenizerOptions bos(int id) {
    return new TokenizerOptions(pattern, specialTokens, OptionalInt.of(id), eos);
  }

  /**
   * Sets the token that ends a text.
   *
   * @param id token id
   * @return changed options
   */
  public TokenizerOptions eos(int id) {
    return new TokenizerOptions(pattern, specialTokens, bos, OptionalInt.of(id));
  }
}
