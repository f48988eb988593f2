package dev.llama.train.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.InvalidInputException;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.TrainingException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The vocabulary is the one that the definition of byte-pair encoding gives. */
final class BytePairTrainerTest {
  @TempDir private Path folder;

  private static final String TEXT =
      "The cat sat on the mat. The other cat, the old one, sat there as well; it's theirs.\n"
          + "Ten cats and 2024 mats! ... the théâtre, the theatre, 東京の猫 猫\n\n";

  private static BytePairTrainer trainer(String... texts) {
    BytePairTrainer trainer = new BytePairTrainer(TokenizerOptions.defaults());
    for (String text : texts) {
      trainer.add(text);
    }
    return trainer;
  }

  /** Few letters, so that there are runs, equal counts, and two ways to the same token. */
  @Test
  void mergesAreThoseOfTheDefinition() {
    Random random = new Random(1);
    for (int round = 0; round < 60; round++) {
      int letters = 1 + random.nextInt(4);
      Map<String, Integer> pieces = new HashMap<>();
      for (int i = 0; i < 1 + round / 2; i++) {
        StringBuilder word = new StringBuilder();
        for (int length = 1 + random.nextInt(30); length > 0; length--) {
          word.append("aébc".charAt(random.nextInt(letters)));
        }
        pieces.put(word.toString(), 1 + random.nextInt(4));
      }
      PieceCounts counts = new PieceCounts();
      pieces.forEach(
          (piece, count) -> {
            byte[] bytes = piece.getBytes(StandardCharsets.UTF_8);
            for (int i = 0; i < count; i++) {
              counts.add(bytes, 0, bytes.length);
            }
          });
      int maxBytes = round % 3 == 0 ? 5 : 1000;
      PairMerger merger = new PairMerger(counts);
      while (merger.tokens().size() < 330 && merger.merge(2, maxBytes)) {
        // until nothing is left
      }
      List<String> found =
          merger.tokens().stream().map(t -> new String(t, StandardCharsets.ISO_8859_1)).toList();
      assertEquals(new SlowPairMerger(pieces).train(330, 2, maxBytes), found, pieces.toString());
    }
  }

  @Test
  void piecesAreCounted() {
    PieceCounts counts = new PieceCounts();
    Map<String, Integer> expected = new HashMap<>();
    Random random = new Random(2);
    for (int i = 0; i < 200_000; i++) {
      String piece = Integer.toString(random.nextInt(1 + i), 36);
      expected.merge(piece, 1, Integer::sum);
      byte[] bytes = ("<" + piece + ">").getBytes(StandardCharsets.UTF_8);
      counts.add(bytes, 1, bytes.length - 1);
    }
    Map<String, Integer> found = new HashMap<>();
    for (int i = 0; i < counts.size(); i++) {
      int start = counts.start(i);
      String piece =
          new String(counts.pool(), start, counts.start(i + 1) - start, StandardCharsets.UTF_8);
      found.put(piece, (int) counts.count(i));
    }
    assertEquals(expected, found);
  }

  @Test
  void writtenVocabularyIsReadBack() throws IOException {
    BytePairVocabulary vocabulary = trainer(TEXT.repeat(3)).train(600, 256);
    Tokenizer tokenizer = vocabulary.write(folder);
    assertEquals(vocabulary.size(), tokenizer.vocabularySize());
    assertFalse(Files.exists(folder.resolve("special_tokens.json")));
    int ranks = vocabulary.size() - 256;
    assertEquals(OptionalInt.of(ranks), tokenizer.bos());
    assertEquals(OptionalInt.of(ranks + 1), tokenizer.eos());
    for (int id = 0; id < ranks; id++) {
      assertArrayEquals(vocabulary.token(id), tokenizer.decodeBytes(id));
    }
    int[] ids = tokenizer.encode(TEXT);
    assertEquals(TEXT, tokenizer.decode(ids));
    assertTrue(ids.length < TEXT.length() / 3, ids.length + " tokens");
    assertEquals(1, tokenizer.encode(" the").length);
  }

  @Test
  void orderOfTextsHasNoInfluence() {
    List<String> lines = new ArrayList<>(List.of(TEXT.split("(?<=[ \\n])")));
    BytePairVocabulary one = trainer(lines.toArray(String[]::new)).train(400, 2);
    Collections.shuffle(lines, new Random(3));
    BytePairVocabulary two = trainer(lines.toArray(String[]::new)).train(400, 2);
    assertEquals(one.size(), two.size());
    for (int id = 0; id < one.size() - 2; id++) {
      assertArrayEquals(one.token(id), two.token(id));
    }
  }

  @Test
  void fewSpecialTokensAreNamedInAFileBeside() throws IOException {
    BytePairVocabulary vocabulary = trainer(TEXT.repeat(3)).train(300, 2);
    Tokenizer tokenizer = vocabulary.write(folder.resolve("new"));
    assertEquals(300, tokenizer.vocabularySize());
    assertEquals(
        Map.of("<|begin_of_text|>", 298, "<|end_of_text|>", 299), tokenizer.specialTokens());
    assertEquals(OptionalInt.of(298), tokenizer.bos());
    // All 256 take the place of the two, and no file of the two is left.
    BytePairVocabulary all = trainer(TEXT.repeat(3)).train(550, 256);
    assertEquals(550, all.write(folder.resolve("new")).vocabularySize());
  }

  @Test
  void bytesAloneHaveNoSpecialTokens() {
    Tokenizer tokenizer = BytePairVocabulary.ofBytes(0).write(folder);
    assertEquals(256, tokenizer.vocabularySize());
    assertEquals(OptionalInt.empty(), tokenizer.bos());
    assertArrayEquals(new int[] {'A', 'C', 'G', 'T', 0xC3, 0xA9}, tokenizer.encode("ACGTé"));
    Tokenizer framed = BytePairVocabulary.ofBytes(2).write(folder);
    assertEquals(258, framed.vocabularySize());
    assertEquals(OptionalInt.of(256), framed.bos());
  }

  @Test
  void endsWhenNoPairOccursTwice() {
    BytePairVocabulary vocabulary = trainer("abcabc").train(10_000, 2);
    assertEquals(256 + 2 + 2, vocabulary.size());
    assertEquals("abc", new String(vocabulary.token(257), StandardCharsets.UTF_8));
  }

  @Test
  void filesAreAdded() throws IOException {
    Path file = folder.resolve("a.jsonl");
    Files.writeString(file, "{\"text\": \"aé bc\"}\n{\"text\": \"bc\"}\n");
    BytePairTrainer trainer = trainer();
    trainer.add(DataOptions.of(List.of(file)));
    assertEquals(8, trainer.bytes());
    assertEquals("bc", new String(trainer.train(300, 2).token(256), StandardCharsets.UTF_8));
  }

  @Test
  void wrongSizesAreRefused() {
    BytePairTrainer trainer = trainer(TEXT);
    assertThrows(InvalidInputException.class, () -> trainer.train(258, 2));
    assertThrows(InvalidInputException.class, () -> trainer.train(1000, 1));
    assertThrows(InvalidInputException.class, () -> trainer.train(1000, 257));
    assertThrows(InvalidInputException.class, () -> trainer.train(1 << 24, 2));
    assertThrows(InvalidInputException.class, () -> BytePairVocabulary.ofBytes(1));
    assertThrows(TrainingException.class, () -> trainer().train(1000, 2));
    assertThrows(
        InvalidInputException.class,
        () -> new BytePairTrainer(TokenizerOptions.defaults().pattern("(")));
  }
}
