package dev.llama.sentencepiece;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.llama.Tokenizer;
import dev.llama.sentencepiece.Definition.Type;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Merging: best score first, leftmost among equals, whatever the length and the vocabulary. */
class MergeOrderTest {

  @Test
  void bestScoreFirstThenLeftmost() {
    Tokenizer tokenizer =
        ModelReaderTest.prefixless(
                new ModelBuilder(false)
                    .normal("a", "b", "c")
                    .piece("ab", -1, Type.NORMAL)
                    .piece("bc", -1, Type.NORMAL)
                    .piece("aa", -2, Type.NORMAL))
            .open();
    assertArrayEquals(new int[] {6, 5}, tokenizer.encode("abc"));
    assertArrayEquals(new int[] {3, 6}, tokenizer.encode("aab"));
    assertArrayEquals(new int[] {8, 3}, tokenizer.encode("aaa"));
  }

  /** The textbook algorithm, quadratic, on random vocabularies full of ties and overlaps. */
  @Test
  void equalsTheTextbookAlgorithm() {
    Random random = new Random(11);
    for (int round = 0; round < 60; round++) {
      String alphabet = random.nextBoolean() ? "ab \u00e9" : "abc \uD83D\uDE00\u4e2d";
      Map<String, Float> scores = new HashMap<>();
      Tokenizer tokenizer = randomVocabulary(random, alphabet, scores);
      for (int i = 0; i < 60; i++) {
        String text = randomText(random, alphabet, random.nextInt(i < 50 ? 30 : 400));
        List<String> expected = textbook(text.replace(' ', '\u2581'), scores);
        List<String> actual = new ArrayList<>();
        for (int id : tokenizer.encode(text)) {
          actual.add(tokenizer.piece(id));
        }
        assertEquals(expected, actual, text);
      }
    }
  }

  private static Tokenizer randomVocabulary(
      Random random, String alphabet, Map<String, Float> scores) {
    ModelBuilder builder = ModelReaderTest.prefixless(new ModelBuilder(false));
    Set<String> texts = new LinkedHashSet<>();
    alphabet.codePoints().forEach(c -> texts.add(new String(Character.toChars(c))));
    for (int i = random.nextInt(60); i >= 0; i--) {
      texts.add(randomText(random, alphabet, 1 + random.nextInt(5)));
    }
    for (String text : texts) {
      String piece = text.replace(' ', '\u2581');
      float score = -random.nextInt(20);
      scores.put(piece, score);
      builder.piece(piece, score, Type.NORMAL);
    }
    return builder.open();
  }

  private static String randomText(Random random, String alphabet, int length) {
    int[] symbols = alphabet.codePoints().toArray();
    StringBuilder text = new StringBuilder();
    for (int i = 0; i < length; i++) {
      text.appendCodePoint(symbols[random.nextInt(symbols.length)]);
    }
    return text.toString();
  }

  private static List<String> textbook(String text, Map<String, Float> scores) {
    List<String> symbols = new ArrayList<>();
    text.codePoints().forEach(c -> symbols.add(new String(Character.toChars(c))));
    while (true) {
      int best = -1;
      float bestScore = Float.NEGATIVE_INFINITY;
      for (int i = 0; i + 1 < symbols.size(); i++) {
        Float score = scores.get(symbols.get(i) + symbols.get(i + 1));
        if (score != null && score > bestScore) {
          best = i;
          bestScore = score;
        }
      }
      if (best < 0) {
        return symbols;
      }
      symbols.set(best, symbols.get(best) + symbols.remove(best + 1));
    }
  }

  /** One tokenizer serves many threads at once. */
  @Test
  void threadsDoNotDisturbEachOther() {
    Random random = new Random(13);
    Tokenizer tokenizer = randomVocabulary(random, "abc ", new HashMap<>());
    List<String> texts = new ArrayList<>();
    List<int[]> expected = new ArrayList<>();
    for (int i = 0; i < 500; i++) {
      texts.add(randomText(random, "abc ", random.nextInt(300)));
      expected.add(tokenizer.encode(texts.get(i)));
    }
    IntStream.range(0, 4000)
        .parallel()
        .forEach(
            i -> {
              int[] ids = tokenizer.encode(texts.get(i % 500));
              assertArrayEquals(expected.get(i % 500), ids);
              assertEquals(texts.get(i % 500), tokenizer.decode(ids));
            });
  }

  /** A character that is no piece by itself still merges into pieces that hold it. */
  @Test
  void charactersOutsideTheVocabularyMerge() {
    Tokenizer tokenizer =
        ModelReaderTest.prefixless(new ModelBuilder(false).normal("a", "ax", "axa")).open();
    assertArrayEquals(new int[] {4, 4, 4}, tokenizer.encode("axaxax"));
    assertArrayEquals(new int[] {5, 3}, tokenizer.encode("axaa"));
    assertArrayEquals(new int[] {0, 3}, tokenizer.encode("xxa"));
  }

  /** Each is one long chunk or many tiny ones; quadratic work would not come to an end here. */
  @Test
  void hostileTextsOfAMegabyte() {
    Tokenizer tokenizer =
        new ModelBuilder(true)
            .normal(
                "\u2581", "a", "\u2581\u2581", "aa", "aaaa", "\u2581a", "\u2581\u2581\u2581\u2581")
            .open();
    for (String unit : new String[] {"a", " ", "\uD83D\uDE00", "\uD83D", "a ", "\n", "\u2581a"}) {
      char[] chars = new char[1 << 20];
      for (int i = 0; i < chars.length; i++) {
        chars[i] = unit.charAt(i % unit.length());
      }
      String text = new String(chars);
      int[] ids = tokenizer.encode(text);
      String expected = text.replace('\u2581', ' ').replaceAll("\uD83D(?!\uDE00)", "\uFFFD");
      assertEquals(expected, tokenizer.decode(ids));
    }
    int[] fours = tokenizer.encode(new String(new char[1 << 20]).replace('\0', 'a'));
    assertEquals((1 << 18) + 1, fours.length);
    assertEquals(1, Arrays.stream(fours).skip(3).limit(1 << 17).distinct().count());
  }
}
