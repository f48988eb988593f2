package dev.llama.core.model;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.llama.Tokenizer;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Text is released as soon as it cannot become part of a stop string any more, and no sooner. */
class TextStreamTest {

  /** A decoder whose ids are characters. */
  private static Tokenizer.Decoder characters() {
    return new Tokenizer.Decoder() {
      @Override
      public String append(int id) {
        return new String(Character.toChars(id));
      }

      @Override
      public String flush() {
        return "";
      }
    };
  }

  private static String run(String text, List<String> stops, StringBuilder pieces) {
    TextStream stream = new TextStream(characters(), stops);
    StringBuilder out = new StringBuilder();
    for (char c : text.toCharArray()) {
      String piece = stream.append(c);
      pieces.append(piece).append('|');
      out.append(piece);
      if (stream.stop().isPresent()) {
        return out.toString();
      }
    }
    return out.append(stream.flush()).toString();
  }

  @Test
  void withoutStopStringsNothingIsHeldBack() {
    StringBuilder pieces = new StringBuilder();
    assertEquals("abc", run("abc", List.of(), pieces));
    assertEquals("a|b|c|", pieces.toString());
  }

  @Test
  void whatMayBecomeAStopStringIsHeldBackAndReleased() {
    StringBuilder pieces = new StringBuilder();
    assertEquals("aENa", run("aENa", List.of("END"), pieces));
    assertEquals("a|||ENa|", pieces.toString());
  }

  @Test
  void theTextEndsBeforeTheStopString() {
    assertEquals("a", run("aENDb", List.of("END"), new StringBuilder()));
    assertEquals("aE", run("aEENDb", List.of("END"), new StringBuilder()));
    assertEquals("aab", run("aabaab!x", List.of("aab!"), new StringBuilder()));
  }

  @Test
  void theEarliestStopStringWins() {
    TextStream stream = new TextStream(characters(), List.of("cd", "bcd"));
    StringBuilder out = new StringBuilder();
    for (char c : "abcd".toCharArray()) {
      out.append(stream.append(c));
    }
    assertEquals("a", out.toString());
    assertEquals(Optional.of("bcd"), stream.stop());
    assertEquals("", stream.flush());
  }

  @Test
  void whatWasHeldBackComesWithTheEnd() {
    assertEquals("abEN", run("abEN", List.of("END"), new StringBuilder()));
  }
}
