package dev.llama.tiktoken;

/** The split patterns that have a splitter written by hand. */
final class SplitPattern {
  /** Llama 3; also the older form of cl100k_base. */
  static final String LLAMA3 =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}|"
          + " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

  /** cl100k_base. */
  static final String CL100K =
      "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}++|\\p{N}{1,3}+|"
          + " ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*+|\\s++$|\\s*[\\r\\n]|\\s+(?!\\S)|\\s";

  /** Llama 3 with digits one by one. */
  static final String QWEN2 =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}|"
          + " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

  /** GPT-2. */
  static final String GPT2 =
      "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

  /** GPT-2 as tiktoken writes it. */
  static final String R50K =
      "'(?:[sdmt]|ll|ve|re)| ?\\p{L}++| ?\\p{N}++| ?[^\\s\\p{L}\\p{N}]++|\\s++$|\\s+(?!\\S)|\\s";

  private SplitPattern() {}

  /**
   * Returns the splitter of a pattern.
   *
   * @param pattern a regular expression
   * @param keepsRest whether text that the pattern does not match is a piece too; the patterns that
   *     are known match every text
   * @return one written by hand if there is one
   * @throws java.util.regex.PatternSyntaxException if it is no regular expression
   */
  static Splitter splitter(String pattern, boolean keepsRest) {
    switch (pattern) {
      case LLAMA3:
        return new LlamaSplitter(3, false);
      case CL100K:
        return new LlamaSplitter(3, true);
      case QWEN2:
        return new LlamaSplitter(1, false);
      case GPT2:
      case R50K:
        return new Gpt2Splitter();
      default:
        return new RegexSplitter(pattern, keepsRest);
    }
  }
}
