package dev.llama.tiktoken;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.InvalidInputException;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Splitting and merging against their definitions, and on texts made to be slow. */
class EncodingTest {
  private final Tokenizer tokenizer = ToyVocabulary.tokenizer();

  @Test
  void mergesShortAndLongPiecesAsDefined() {
    Random random = new Random(1);
    for (int i = 0; i < 2000; i++) {
      int length = 1 + random.nextInt(i % 10 == 0 ? 400 : 40);
      StringBuilder word = new StringBuilder();
      while (word.length() < length) {
        String token = ToyVocabulary.RANKS.get(random.nextInt(ToyVocabulary.RANKS.size()));
        if (token.matches("[a-zA-Z]+")) {
          word.append(token);
        }
      }
      String piece = word.toString();
      assertArrayEquals(ToyVocabulary.encodePiece(piece), tokenizer.encode(piece), piece);
    }
  }

  @Test
  void piecesThatRecurInLongTextsStayTheSame() {
    StringBuilder text = new StringBuilder();
    Random random = new Random(2);
    while (text.length() < 60_000) {
      text.append(' ').append(Integer.toString(random.nextInt(3000), 36)).append("harbouring");
    }
    int[] ids = tokenizer.encode(text);
    int at = 0;
    for (String part : text.toString().split("(?= )")) {
      for (int id : tokenizer.encode(part)) {
        assertEquals(id, ids[at++]);
      }
    }
    assertEquals(ids.length, at);
  }

  /** The same pattern in a form that is not recognised, so that java.util.regex runs it. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        SplitPattern.LLAMA3,
        SplitPattern.QWEN2,
        SplitPattern.GPT2,
        SplitPattern.CL100K,
        SplitPattern.R50K
      })
  void handWrittenSplittersSplitLikeTheRegularExpression(String pattern) {
    // the end of the text, in the syntax of Java
    String java = pattern.replace("\\s++$", "\\s++\\z");
    Tokenizer ours = ToyVocabulary.tokenizer(TokenizerOptions.defaults().pattern(pattern));
    Tokenizer regex =
        ToyVocabulary.tokenizer(TokenizerOptions.defaults().pattern("(?:" + java + ")"));
    Random random = new Random(3);
    for (int i = 0; i < 20_000; i++) {
      String text = text(random, random.nextInt(20));
      assertArrayEquals(regex.encode(text), ours.encode(text), () -> escaped(text));
    }
  }

  private static final List<String> UNITS =
      List.of(
          " ", " ", "  ", "\n", "\r\n", "\t", "a", "the", "S", "'", "'s", "'S", "'ll", "'Ve", "'ſ",
          "1", "12", "1234", ".", "--", "!?", "é", "ß", "东", "京", "🙂", "\u0301", "\u00A0",
          "\u0085", "\u3000", "\u2028", "٣", "Ⅷ", "½", "\u200B", "\uFEFF", "\u001C", "𝔘", "𝟘",
          "्", "re", "'r", "'d", "_", "İ", "ǅ", "ʰ");

  private static String text(Random random, int units) {
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < units; i++) {
      text.append(UNITS.get(random.nextInt(UNITS.size())));
    }
    return text.toString();
  }

  private static String escaped(String text) {
    StringBuilder escaped = new StringBuilder();
    text.chars().forEach(c -> escaped.append(String.format("\\u%04x", c)));
    return escaped.toString();
  }

  @Test
  void classesAreThoseOfTheRuntimeWhereItKnowsTheCharacter() {
    for (int c = 0; c <= Character.MAX_CODE_POINT; c++) {
      int type = Character.getType(c);
      if (type == Character.UNASSIGNED || type == Character.SURROGATE) {
        continue;
      }
      byte expected =
          Character.isLetter(c)
              ? CharClass.LETTER
              : type == Character.DECIMAL_DIGIT_NUMBER
                      || type == Character.LETTER_NUMBER
                      || type == Character.OTHER_NUMBER
                  ? CharClass.NUMBER
                  : c == '\r' || c == '\n'
                      ? CharClass.NEWLINE
                      : "\t\u000B\f\u0085".indexOf(c) >= 0 || Character.isSpaceChar(c)
                          ? CharClass.SPACE
                          : CharClass.OTHER;
      assertEquals(expected, CharClass.of(c), Integer.toHexString(c));
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"a", " ", "\n", " \n", "1", "🙂", "\u0301", "é", "東", "'", "a'", "ab", "the"})
  void hostileTextsEncodeInLinearTime(String unit) {
    String text = unit.repeat(1_000_000 / unit.length());
    // Quadratic work on a million characters would take hours.
    int[] ids = assertTimeoutPreemptively(Duration.ofMinutes(1), () -> tokenizer.encode(text));
    assertEquals(text, tokenizer.decode(ids));
  }

  @Test
  void otherPatternsRunOnTheRegularExpressionsOfJava() {
    Tokenizer lines =
        ToyVocabulary.tokenizer(TokenizerOptions.defaults().pattern("[^\\n]++\\n?|\\n"));
    String text = "the ferry\nwas late 東京\n\n🙂";
    assertEquals(text, lines.decode(lines.encode(text)));
    // What the pattern does not match is dropped, as in tiktoken.
    Tokenizer letters = ToyVocabulary.tokenizer(TokenizerOptions.defaults().pattern("\\p{L}+"));
    assertEquals("abé", letters.decode(letters.encode("1a-b 🙂é!")));
  }

  @Test
  void patternsThatBacktrackTooMuchOrTooDeepAreRefused() {
    Tokenizer exponential =
        ToyVocabulary.tokenizer(TokenizerOptions.defaults().pattern("(a|aa)+\\1c|b"));
    InvalidInputException e =
        assertThrows(InvalidInputException.class, () -> exponential.encode("a".repeat(60) + "!"));
    assertTrue(e.getMessage().contains("(a|aa)+\\1c|b"), e.getMessage());
    Tokenizer deep = ToyVocabulary.tokenizer(TokenizerOptions.defaults().pattern("(?:a|b)*c|."));
    e = assertThrows(InvalidInputException.class, () -> deep.encode("ab".repeat(500_000)));
    assertTrue(e.getMessage().contains("stack") || e.getMessage().contains("backtracks"));
    e =
        assertThrows(
            InvalidInputException.class,
            () -> ToyVocabulary.tokenizer(TokenizerOptions.defaults().pattern("(a")));
    assertTrue(e.getMessage().contains("TokenizerOptions.pattern"), e.getMessage());
  }

  @Test
  void charSequencesOfAnyKindAndAnyLength() {
    StringBuilder text = new StringBuilder();
    for (int length = 0; length < 3000; length++) {
      text.append(length % 7 == 0 ? "🙂" : length % 3 == 0 ? "é" : length % 5 == 0 ? "東" : "a");
      if (length % 100 < 3 || length > 2900) {
        byte[] utf8 = text.toString().getBytes(StandardCharsets.UTF_8);
        assertArrayEquals(utf8, tokenizer.decodeBytes(tokenizer.encode(text)));
      }
    }
  }

  @Test
  void unpairedSurrogatesBecomeTheReplacementCharacterAlsoBetweenChunks() {
    for (int before = 1020; before < 1028; before++) {
      String ascii = "x".repeat(before);
      Map<String, String> ends =
          Map.of(
              "\uD83D", "\uFFFD",
              "\uDE42", "\uFFFD",
              "\uD83D\uD83D\uDE42", "\uFFFD🙂",
              "\uDE42\uD83D", "\uFFFD\uFFFD",
              "🙂", "🙂");
      for (String end : ends.keySet()) {
        String text = ascii + end + "y";
        String expected = ascii + ends.get(end);
        assertEquals(expected + "y", tokenizer.decode(tokenizer.encode(text)));
        assertEquals(expected, tokenizer.decode(tokenizer.encode(ascii + end)));
      }
    }
  }
}
