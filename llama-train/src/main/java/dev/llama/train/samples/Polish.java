package dev.llama.train.samples;

import java.util.Locale;
import java.util.regex.Pattern;

/** What is easier to put right in a finished text than to get right in every rule. */
final class Polish {
  private static final Pattern SPACES = Pattern.compile(" {2,}");
  private static final Pattern SPACE_AT_END = Pattern.compile(" +(?=\\n|$|[.,!?])");
  private static final Pattern A =
      Pattern.compile("\\b([Aa]) (?=[aeiou]|hour|honest)(?!uni|use|one\\b|once\\b)");
  private static final Pattern STOPS = Pattern.compile("([.,!?])[.,!?]+");
  private static final Pattern SENTENCE =
      Pattern.compile("(?:^|\\n|[.!?] |(?<=^|\\s)\")[a-z]", Pattern.MULTILINE);

  private Polish() {}

  /**
   * Single spaces, "an" before vowels, capitals where sentences begin, and of several punctuation
   * marks in a row the first: a way that ends in one overrules that of the sentence around it.
   */
  static String polish(String text) {
    String spaced = SPACES.matcher(text).replaceAll(" ");
    String trimmed = SPACE_AT_END.matcher(spaced).replaceAll("").strip();
    String stopped = STOPS.matcher(trimmed).replaceAll("$1");
    String articles = A.matcher(stopped).replaceAll("$1n ");
    return SENTENCE.matcher(articles).replaceAll(match -> match.group().toUpperCase(Locale.ROOT));
  }

  static String capitalise(String text) {
    return text.isEmpty() ? text : Character.toUpperCase(text.charAt(0)) + text.substring(1);
  }
}
