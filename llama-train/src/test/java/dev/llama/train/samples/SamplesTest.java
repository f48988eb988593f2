package dev.llama.train.samples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.TokenizerOptions;
import dev.llama.train.data.BytePairTrainer;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Stories are well-formed and consistent, sequences have structure, seeds decide. */
final class SamplesTest {
  private static final Pattern FAULT =
      Pattern.compile(
          "[{}<>\\[\\]|*;=]|  | \n|\\b[Aa] [aeiou]|[.!?,]{2}"
              + "|[.!?] [a-z]|^[a-z]|(?<= )\"[a-z]| [.,!?]");

  @Test
  void storiesAreWellFormed() {
    Stories stories = new Stories(1);
    for (int n = 0; n < 500; n++) {
      String brief = stories.shortStory(n);
      assertFalse(FAULT.matcher(brief).find(), brief);
      assertTrue(brief.length() > 60 && brief.length() < 300, brief);
    }
    Set<String> words = new HashSet<>();
    Set<String> openings = new HashSet<>();
    int onceUponATime = 0;
    for (int n = 0; n < 3000; n++) {
      String story = stories.story(n);
      Matcher fault = FAULT.matcher(story);
      assertFalse(fault.find(), () -> fault.group() + " in: " + story);
      assertTrue(story.length() > 300 && story.length() < 2500, story);
      long quotes = story.chars().filter(c -> c == '"').count();
      assertEquals(0, quotes % 2, story);
      words.addAll(List.of(story.toLowerCase(Locale.ROOT).split("[^a-z']+")));
      openings.add(story.substring(0, 12));
      onceUponATime += story.startsWith("Once upon a time") ? 1 : 0;
    }
    assertTrue(words.size() > 3000, words.size() + " words");
    assertTrue(openings.size() > 200, openings.size() + " openings");
    assertTrue(onceUponATime > 900 && onceUponATime < 1800, onceUponATime + " of 3000");
  }

  /** The bundled model's vocabulary has 4096 tokens: the stories need enough different words. */
  @Test
  void wordsFillTheVocabularyOfTheBundledModel() {
    BytePairTrainer trainer = new BytePairTrainer(TokenizerOptions.defaults());
    Stories stories = new Stories(1);
    for (int n = 0; n < 3000; n++) {
      trainer.add(stories.story(n));
    }
    assertEquals(4096, trainer.train(4096, 16).size());
  }

  /** What a question ends with is in the way that asks it, and not in the sentence around it. */
  @Test
  void questionsEndInQuestionMarks() {
    Stories stories = new Stories(2);
    Pattern question =
        Pattern.compile("\"(?:Why|Where|Who|Are you|Can (?:I|you|we)|Shall)\\b[^\"?!.]*[,.!]\"");
    for (int n = 0; n < 3000; n++) {
      String story = stories.story(n);
      Matcher fault = question.matcher(story);
      assertFalse(fault.find(), () -> fault.group() + " in: " + story);
    }
  }

  @Test
  void textsArePolished() {
    assertEquals(
        "An hour ago, an owl saw a unicorn. \"Why?\" it asked.",
        Polish.polish("a hour ago,  a owl saw a unicorn . \"why?,\" it asked."));
  }

  @Test
  void pronounsFollowTheName() {
    Grammar grammar =
        new Grammar(
            List.of(
                "who(name, he):",
                "- Lily; she",
                "- Tom; he",
                "tale:",
                "- {a=who}{b=who}{a} saw {b}. {a.He} helped {b.him} with {b.his} hat,",
                "  all by {a.himself}."));
    Set<String> tales = new HashSet<>();
    for (int n = 0; n < 50; n++) {
      tales.add(grammar.say("tale", new Chance(3, n)));
    }
    assertEquals(
        Set.of(
            "Lily saw Tom. She helped him with his hat,\nAll by herself.",
            "Tom saw Lily. He helped her with her hat,\nAll by himself."),
        tales);
  }

  @Test
  void grammarIsChecked() {
    for (List<String> lines :
        List.of(
            List.of("- way"),
            List.of("a:", "- way", "a:", "- other"),
            List.of("a:", "- <none>"),
            List.of("a:", "- {x=none}"))) {
      assertThrows(IllegalArgumentException.class, () -> new Grammar(lines), lines.toString());
    }
    Chance chance = new Chance(0, 0);
    for (String way : List.of("{none}", "[a|b", "{x=a}", "{x=b}{x.size}")) {
      Grammar grammar = new Grammar(List.of("a:", "- b; c", "b(name):", "- b", "r:", "- " + way));
      assertThrows(IllegalArgumentException.class, () -> grammar.say("r", chance), way);
    }
  }

  @Test
  void seedsDecide() {
    assertEquals(new Stories(5).story(7), new Stories(5).story(7));
    assertNotEquals(new Stories(5).story(7), new Stories(6).story(7));
    assertNotEquals(new Stories(5).story(7), new Stories(5).story(8));
    assertEquals(new Nucleotides(5).sequence(7, 500), new Nucleotides(5).sequence(7, 500));
    assertNotEquals(new Nucleotides(5).sequence(7, 500), new Nucleotides(6).sequence(7, 500));
    assertTrue(new Nucleotides(5).sequence(7, 500).startsWith(new Nucleotides(5).sequence(7, 100)));
  }

  /** Predicted from the eleven letters before, most letters are certain; in noise none would be. */
  @Test
  void sequencesHaveStructure() {
    Nucleotides nucleotides = new Nucleotides(1);
    Set<String> seen = new HashSet<>();
    int known = 0;
    int total = 0;
    for (int n = 0; n < 200; n++) {
      String sequence = nucleotides.sequence(n, 2000);
      assertTrue(sequence.matches("[ACGTacgt]{2000}"), sequence);
      for (int i = 0; i + 12 <= sequence.length(); i++) {
        boolean isNew = seen.add(sequence.substring(i, i + 12).toUpperCase(Locale.ROOT));
        known += n >= 100 && !isNew ? 1 : 0;
        total += n >= 100 ? 1 : 0;
      }
    }
    double share = (double) known / total; // by chance: 200000 of 4^12 words, 0.012
    assertTrue(share > 0.5 && share < 0.95, "share " + share);
  }
}
