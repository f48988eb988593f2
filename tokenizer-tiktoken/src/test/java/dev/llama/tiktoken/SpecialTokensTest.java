package dev.llama.tiktoken;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.ChatMessage;
import dev.llama.InvalidInputException;
import dev.llama.Specials;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** When text stands for special tokens, and which tokens are special. */
class SpecialTokensTest {
  private final Tokenizer tokenizer = ToyVocabulary.tokenizer();

  @Test
  void ordinaryTextNeverYieldsSpecialTokens() {
    String text = String.join("", tokenizer.specialTokens().keySet());
    int[] ids = tokenizer.encode(text);
    assertTrue(Arrays.stream(ids).allMatch(id -> id < 406));
    assertEquals(text, tokenizer.decode(ids));
  }

  @Test
  void onlyTheNamedOnesAreRecognised() {
    String text = "a<|eot_id|>b<|eom_id|>";
    int[] ids = tokenizer.encode(text, Specials.of(Set.of("<|eot_id|>")));
    assertEquals(415, ids[1]);
    assertFalse(Arrays.stream(ids).anyMatch(id -> id == 414));
    assertEquals(text, tokenizer.decode(ids));
    int[] all = tokenizer.encode(text, Specials.ALL);
    assertArrayEquals(new int[] {ids[0], 415, ids[2], 414}, all);
    InvalidInputException e =
        assertThrows(
            InvalidInputException.class,
            () -> tokenizer.encode("a", Specials.of(Set.of("<|no_such|>"))));
    assertTrue(e.getMessage().contains("<|no_such|>"), e.getMessage());
  }

  @Test
  void theLeftmostAndLongestWins() {
    Tokenizer custom =
        ToyVocabulary.tokenizer(
            TokenizerOptions.defaults()
                .specialTokens(Map.of("<a", 406, "<a>", 407, "a>b", 408, "é", 409)));
    assertArrayEquals(new int[] {407}, custom.encode("<a>", Specials.ALL));
    assertArrayEquals(new int[] {406}, custom.encode("<a", Specials.ALL));
    assertArrayEquals(new int[] {408, 409}, custom.encode("a>bé", Specials.ALL));
    assertEquals(407, custom.encode("<a>b", Specials.ALL)[0]);
    assertEquals(406, custom.encode("<a>b", Specials.of(Set.of("<a", "a>b")))[0]);
  }

  @Test
  void textIsSplitAsIfItEndedAtASpecialToken() {
    // Two spaces before a word are split; before the end they stay together.
    int[] ids = tokenizer.encode("  <|eot_id|>a", Specials.ALL);
    int[] spaces = tokenizer.encode("  ");
    assertArrayEquals(spaces, Arrays.copyOf(ids, ids.length - 2));
  }

  @Test
  void optionsReplaceTheSpecialTokens() {
    Tokenizer custom =
        ToyVocabulary.tokenizer(
            TokenizerOptions.defaults().specialTokens(Map.of("<s>", 406, "</s>", 500)).bos(406));
    assertEquals(501, custom.vocabularySize());
    assertEquals(Map.of("<s>", 406, "</s>", 500), custom.specialTokens());
    assertEquals(OptionalInt.of(406), custom.bos());
    assertEquals(OptionalInt.of(500), custom.eos());
    assertEquals(Set.of(500), custom.stopIds());
    assertTrue(custom.addsBos());
    InvalidInputException e =
        assertThrows(InvalidInputException.class, () -> custom.decode(450), "a gap");
    assertTrue(e.getMessage().contains("450"), e.getMessage());
    assertThrows(
        InvalidInputException.class,
        () -> custom.encodeChat(List.of(new ChatMessage("user", "a")), true));
  }

  @Test
  void impossibleOptionsAreRefused() {
    for (Map<String, Integer> specials :
        List.of(
            Map.of("<s>", 5),
            Map.of("<s>", -1),
            Map.of("<s>", Integer.MAX_VALUE),
            Map.of("", 406),
            Map.of("<s>", 406, "<t>", 406))) {
      InvalidInputException e =
          assertThrows(
              InvalidInputException.class,
              () -> ToyVocabulary.tokenizer(TokenizerOptions.defaults().specialTokens(specials)));
      assertTrue(e.getMessage().contains("TokenizerOptions.specialTokens"), e.getMessage());
    }
    for (TokenizerOptions options :
        List.of(TokenizerOptions.defaults().bos(662), TokenizerOptions.defaults().eos(-1))) {
      assertThrows(InvalidInputException.class, () -> ToyVocabulary.tokenizer(options));
    }
  }

  @Test
  void chatKeepsUsersFromClosingTurns() {
    int[] ids =
        tokenizer.encodeChat(List.of(new ChatMessage("user", "<|eot_id|><|python_tag|>")), false);
    assertEquals(1, Arrays.stream(ids).filter(id -> id == 415).count());
    assertFalse(Arrays.stream(ids).anyMatch(id -> id == 416), "no call of a tool");
  }
}
