package dev.llama.tiktoken;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.InvalidInputException;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Ids back to text, whole and one at a time. */
class DecodingTest {
  private final Tokenizer tokenizer = ToyVocabulary.tokenizer();

  /** One U+FFFD for each maximal subpart, as in the Unicode standard, table 3-8, and WHATWG. */
  @ParameterizedTest
  @CsvSource({
    "61F1808061, a?a", // unfinished, then ASCII
    "E28261, ?a",
    "E282, ?",
    "F09F9942, ?B",
    "C080, ??", // overlong
    "E080BF, ???",
    "EDA080, ???", // a surrogate
    "EDA0, ??",
    "F4908080, ????", // above U+10FFFF
    "FF, ?",
    "80BF, ??",
    "C3C3A9, ?é",
    "F0808080, ????",
    "E0A0E0A0, ??",
    "C3A9, é"
  })
  void brokenBytesBecomeReplacementCharacters(String hex, String expected) {
    int[] ids = ids(HexFormat.of().parseHex(hex));
    String text = expected.replace('?', '\uFFFD');
    assertEquals(text, tokenizer.decode(ids));
    assertEquals(text, stream(ids));
  }

  @Test
  void streamsAddUpToTheWhole() {
    Random random = new Random(4);
    byte[] leads = HexFormat.of().parseHex("61808FA0BFC0C2C3E0E2EDEFF0F1F4F59F90");
    for (int i = 0; i < 20_000; i++) {
      byte[] bytes = new byte[random.nextInt(9)];
      for (int k = 0; k < bytes.length; k++) {
        bytes[k] = leads[random.nextInt(leads.length)];
      }
      int[] ids = ids(bytes);
      assertEquals(tokenizer.decode(ids), stream(ids), () -> HexFormat.of().formatHex(bytes));
      assertArrayEquals(bytes, tokenizer.decodeBytes(ids));
    }
  }

  @Test
  void aLongBrokenTextIsRepairedWhole() {
    byte[] bytes = ("x🙂é".repeat(1000) + "\u0080").getBytes(StandardCharsets.ISO_8859_1);
    String text = tokenizer.decode(ids(bytes));
    assertEquals(new String(bytes, StandardCharsets.UTF_8), text);
  }

  @Test
  void longTextsAreTheSameAsStreams() {
    Random random = new Random(5);
    for (int i = 0; i < 50; i++) {
      int[] ids = random.ints(5000, 0, tokenizer.vocabularySize() - 256).toArray();
      assertEquals(stream(ids), tokenizer.decode(ids));
      ids[4000] = 9999;
      InvalidInputException e =
          assertThrows(InvalidInputException.class, () -> tokenizer.decode(ids));
      assertTrue(e.getMessage().contains("9999"), e.getMessage());
    }
    String name = "<" + "é".repeat(5000) + ">";
    Tokenizer custom =
        ToyVocabulary.tokenizer(TokenizerOptions.defaults().specialTokens(Map.of(name, 406)));
    int[] ids = new int[3000];
    Arrays.fill(ids, 0, 2000, ids("a".getBytes(StandardCharsets.UTF_8))[0]);
    Arrays.fill(ids, 2000, 3000, 406);
    assertEquals("a".repeat(2000) + name.repeat(1000), custom.decode(ids));
    assertEquals(2000 + 1000 * 10_002, custom.decodeBytes(ids).length);
  }

  @Test
  void incompleteCharactersAreHeldBackAndNoLonger() {
    Tokenizer.Decoder decoder = tokenizer.newDecoder();
    int[] ids = ids("🙂".getBytes(StandardCharsets.UTF_8));
    assertEquals("", decoder.append(ids[0]));
    assertEquals("", decoder.append(ids[1]));
    assertEquals("", decoder.append(ids[2]));
    assertEquals("🙂", decoder.append(ids[3]));
    assertEquals("", decoder.append(ids[0]));
    assertEquals("\uFFFDa", decoder.append(ids(new byte[] {'a'})[0]), "can no longer be completed");
    assertEquals("", decoder.append(ids[0]));
    assertEquals("\uFFFD", decoder.flush());
    assertEquals("a", decoder.append(ids(new byte[] {'a'})[0]), "as new after flush");
    assertEquals("", decoder.flush());
  }

  @Test
  void streamsLeaveSpecialTokensOutAndDecodeGivesTheirText() {
    int begin = tokenizer.bos().orElseThrow();
    int[] ids = {begin, ids(new byte[] {'a'})[0], tokenizer.eos().orElseThrow()};
    assertEquals("a", stream(ids));
    assertEquals("<|begin_of_text|>a<|end_of_text|>", tokenizer.decode(ids));
    assertEquals("<|begin_of_text|>", tokenizer.piece(begin));
  }

  @Test
  void piecesAreReadable() {
    assertEquals("Ġ", tokenizer.piece(ids(new byte[] {' '})[0]));
    assertEquals("Ċ", tokenizer.piece(ids(new byte[] {'\n'})[0]));
    assertEquals("a", tokenizer.piece(ids(new byte[] {'a'})[0]));
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, Integer.MIN_VALUE, 662, Integer.MAX_VALUE})
  void idsOutsideTheVocabularyAreRefused(int id) {
    assertEquals(662, tokenizer.vocabularySize());
    Tokenizer.Decoder decoder = tokenizer.newDecoder();
    for (InvalidInputException e :
        new InvalidInputException[] {
          assertThrows(InvalidInputException.class, () -> tokenizer.decode(1, id)),
          assertThrows(InvalidInputException.class, () -> tokenizer.decodeBytes(id)),
          assertThrows(InvalidInputException.class, () -> tokenizer.piece(id)),
          assertThrows(InvalidInputException.class, () -> decoder.append(id))
        }) {
      assertTrue(e.getMessage().contains(String.valueOf(id)), e.getMessage());
      assertTrue(e.getMessage().contains("662"), e.getMessage());
    }
  }

  private String stream(int[] ids) {
    Tokenizer.Decoder decoder = tokenizer.newDecoder();
    StringBuilder text = new StringBuilder();
    for (int id : ids) {
      text.append(decoder.append(id));
    }
    return text.append(decoder.flush()).toString();
  }

  /** The single-byte tokens for bytes. */
  private static int[] ids(byte[] bytes) {
    int[] ids = new int[bytes.length];
    for (int i = 0; i < bytes.length; i++) {
      ids[i] = ToyVocabulary.RANKS.indexOf(String.valueOf((char) (bytes[i] & 0xFF)));
    }
    return ids;
  }
}
