package dev.llama.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.train.samples.Stories;
import java.io.IOException;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Without any model at hand there is a story to be had. */
class BundledModelTest {
  private static String story(String... more) {
    String[] args = Arrays.copyOf(new String[] {"generate"}, 1 + more.length);
    System.arraycopy(more, 0, args, 1, more.length);
    Cli run = Cli.real(args);
    assertEquals(0, run.exitCode(), run.err());
    assertTrue(run.err().contains("no --model"), run.err());
    return run.out();
  }

  @Test
  void isSmall() throws IOException {
    long bytes = Files.size(BundledModel.extract());
    assertTrue(bytes <= 5_000_000, bytes + " bytes");
  }

  @Test
  void theSameSeedTellsTheSameStory() {
    String story = story("--seed", "1", "-n", "60", "Once upon a time");
    assertTrue(story.startsWith("Once upon a time"), story);
    assertEquals(story, story("--seed", "1", "-n", "60", "Once upon a time"));
    assertNotEquals(story, story("--seed", "2", "-n", "60", "Once upon a time"));
  }

  /** Words are spelt right, sentences are whole, and the hero stays the same to the end. */
  @Test
  void storiesAreWellFormed() {
    Set<String> words = new HashSet<>();
    Stories stories = new Stories(1);
    for (int n = 0; n < 3000; n++) {
      words.addAll(words(stories.story(n)));
    }
    for (int seed = 1; seed <= 4; seed++) {
      String story =
          story("--seed", "" + seed, "Once upon a time, there was a little girl named Lily.");
      List<String> told = words(story);
      long known = told.stream().filter(words::contains).count();
      assertTrue(known >= 0.99 * told.size(), story);
      assertTrue(told.size() > 60, story);
      assertTrue(story.strip().matches("(?s).*[.!?]\"?"), "ends within a sentence: " + story);
      assertTrue(story.split("\\bLily\\b", -1).length > 4, story);
    }
  }

  private static List<String> words(String text) {
    return List.of(text.toLowerCase(Locale.ROOT).split("[^a-z']+"));
  }

  @Test
  void isNotUsedWhereAModelIsNamed() {
    Cli run = Cli.real("generate", "-m", "no/such/model", "Once");
    assertEquals(1, run.exitCode());
    assertFalse(run.err().contains("bundled"), run.err());
  }
}
