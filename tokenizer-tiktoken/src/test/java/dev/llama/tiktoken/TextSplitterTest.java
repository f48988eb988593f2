package dev.llama.tiktoken;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.llama.InvalidInputException;
import dev.llama.TokenizerOptions;
import dev.llama.spi.TextSplitter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a trainer of vocabularies is told: the same pieces within which encoding merges bytes. */
class TextSplitterTest {
  private static List<String> pieces(TokenizerOptions options, String text) {
    TextSplitter splitter = new TiktokenProvider().splitter(options).orElseThrow();
    List<String> pieces = new ArrayList<>();
    splitter.split(
        text,
        (utf8, from, to) -> pieces.add(new String(utf8, from, to - from, StandardCharsets.UTF_8)));
    return pieces;
  }

  @Test
  void theUsualPatternIsThatOfLlama3() {
    assertEquals(
        List.of("I", "'ll", " buy", " ", "123", "4", " ", " théâtres", "\n\n", "\"Oh", "!\""),
        pieces(TokenizerOptions.defaults(), "I'll buy 1234  théâtres\n\n\"Oh!\""));
    assertEquals(List.of(), pieces(TokenizerOptions.defaults(), ""));
    assertEquals(List.of("a\uFFFD"), pieces(TokenizerOptions.defaults().pattern(".+"), "a\uD800"));
  }

  @Test
  void anotherPatternIsObeyedOrRefused() {
    assertEquals(List.of("ab", "c"), pieces(TokenizerOptions.defaults().pattern("..?"), "abc"));
    assertThrows(
        InvalidInputException.class, () -> pieces(TokenizerOptions.defaults().pattern("("), "a"));
  }
}
