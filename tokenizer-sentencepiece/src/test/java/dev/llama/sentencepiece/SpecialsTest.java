package dev.llama.sentencepiece;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.InvalidInputException;
import dev.llama.Specials;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.sentencepiece.Definition.Type;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Control and user-defined pieces in text, and what the caller may set. */
class SpecialsTest {
  private static final int A = 3; // "a"
  private static final int SPACE_A = 4; // "▁a"
  private static final int INST = 6;
  private static final int INST_A = 7;

  private static ModelBuilder builder() {
    return new ModelBuilder(false)
        .normal("a", "\u2581a", "\u2581")
        .piece("[I]", 0, Type.CONTROL)
        .piece("[I]a", 0, Type.CONTROL);
  }

  /** Text that comes from users cannot make control tokens. */
  @Test
  void controlPiecesAreOrdinaryTextUnlessAskedFor() {
    Tokenizer tokenizer = builder().open();
    assertArrayEquals(new int[] {SPACE_A, 0}, tokenizer.encode("a[I]"));
    assertArrayEquals(
        new int[] {SPACE_A, 0, A}, tokenizer.encode("a<s>a", Specials.of(Set.of("[I]"))));
  }

  @Test
  void recognisesTheLongestOfTheAllowed() {
    Tokenizer tokenizer = builder().open();
    assertArrayEquals(
        new int[] {INST_A, SPACE_A, INST, 1, SPACE_A, 2},
        tokenizer.encode("[I]aa[I]<s>a</s>", Specials.ALL));
    assertArrayEquals(
        new int[] {INST, SPACE_A, A, INST},
        tokenizer.encode("[I]aa[I]", Specials.of(Set.of("[I]"))));
    assertThrows(
        InvalidInputException.class,
        () -> tokenizer.encode("a", Specials.of(Set.of("<|eot_id|>"))));
  }

  @Test
  void userDefinedPiecesAreAlwaysTokens() {
    Tokenizer tokenizer =
        new ModelBuilder(false)
            .normal("a", "b", "ab", "\u2581")
            .piece("ba", 0, Type.USER_DEFINED)
            .piece("bab", 0, Type.USER_DEFINED)
            .piece("\u2581x", 0, Type.USER_DEFINED)
            .open();
    // No merge reaches into them, the longest wins, and the leading space can be part of one.
    assertArrayEquals(new int[] {6, 3, 8, 4}, tokenizer.encode("ababb"));
    assertArrayEquals(new int[] {9, 7, 9}, tokenizer.encode("xba x"));
    assertEquals("xba x", tokenizer.decode(9, 7, 9));
    assertEquals(Set.of("<unk>", "<s>", "</s>"), tokenizer.specialTokens().keySet());
  }

  @Test
  void optionsReplaceWhatTheFileSays() {
    Tokenizer tokenizer =
        builder()
            .open(
                TokenizerOptions.defaults()
                    .specialTokens(Map.of("<pad>", 8, "[I]", INST))
                    .bos(8)
                    .eos(1));
    assertEquals(9, tokenizer.vocabularySize());
    assertEquals(OptionalInt.of(8), tokenizer.bos());
    assertEquals(Set.of(1), tokenizer.stopIds());
    assertEquals("<pad>", tokenizer.piece(8));
    assertArrayEquals(new int[] {8, INST}, tokenizer.encode("<pad>[I]", Specials.ALL));
    assertFalse(tokenizer.specialTokens().containsKey("<s>"));
  }

  @Test
  void optionsThatCannotBeHonouredAreRefused() {
    refused(TokenizerOptions.defaults().pattern("a"), "pattern");
    refused(TokenizerOptions.defaults().specialTokens(Map.of("x", 9)), "without a gap");
    refused(TokenizerOptions.defaults().specialTokens(Map.of("x", -1)), "-1");
    refused(TokenizerOptions.defaults().specialTokens(Map.of("", 1)), "empty");
    refused(TokenizerOptions.defaults().bos(8), "bos is 8");
    refused(TokenizerOptions.defaults().eos(-1), "eos is -1");
  }

  private static void refused(TokenizerOptions options, String reason) {
    String message =
        assertThrows(InvalidInputException.class, () -> builder().open(options)).getMessage();
    assertTrue(message.contains(reason), message);
  }
}
