package dev.llama.train.samples;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.stream.Stream;

/**
 * Simple stories for children, made from a grammar of this project's own: eighty plots with many
 * ways to tell each, in 3000 words. Enough for a model of a few million parameters to learn
 * sentences, dialogue, and who is who. Immutable; safe for use by many threads at once.
 */
public final class Stories {
  private static final List<String> FILES =
      List.of(
          "index",
          "words",
          "phrases",
          "plots-friends",
          "plots-home",
          "plots-outdoors",
          "plots-work",
          "plots-wonders");

  private final Grammar grammar;
  private final long seed;

  /**
   * Creates a collection.
   *
   * @param seed the same seed gives the same stories
   */
  public Stories(long seed) {
    this.seed = seed;
    this.grammar = new Grammar(FILES.stream().flatMap(Stories::lines).toList());
  }

  private static Stream<String> lines(String file) {
    String resource = "stories/" + file + ".grammar";
    try (InputStream in = Stories.class.getResourceAsStream(resource)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Returns a story.
   *
   * @param number any number: each has a story of its own
   * @return a few paragraphs with a line feed between two
   */
  public String story(long number) {
    return grammar.say("story", new Chance(seed, number));
  }

  /**
   * Returns a very short story, of some sentences in which the same names and things come back at
   * once: from a few hundred thousand tokens of these a model learns to look back for a name, for
   * which long stories take it many times more.
   *
   * @param number any number: each has a story of its own
   * @return one paragraph
   */
  public String shortStory(long number) {
    return grammar.say("short", new Chance(seed, number));
  }
}
