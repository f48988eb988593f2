package dev.llama.sentencepiece;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.FormatException;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.spi.TokenizerSource;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Vocabularies written as GGUF metadata are the same tokenizers. */
class GgufExportTest {
  private static Map<String, Object> export(TokenizerSource source) {
    return new SentencePieceProvider()
        .ggufMetadata(source, TokenizerOptions.defaults())
        .orElseThrow();
  }

  private static void assertSame(Tokenizer expected, Tokenizer actual) throws IOException {
    assertEquals(expected.bos(), actual.bos());
    assertEquals(expected.eos(), actual.eos());
    assertEquals(expected.addsBos(), actual.addsBos());
    assertEquals(expected.stopIds(), actual.stopIds());
    assertEquals(expected.specialTokens(), actual.specialTokens());
    assertEquals(expected.vocabularySize(), actual.vocabularySize());
    for (Map<String, Object> row : Fixtures.jsonLines("tokenizer-llama2/goldens.jsonl")) {
      String text = (String) row.get("text");
      int[] ids = expected.encode(text);
      assertArrayEquals(ids, actual.encode(text), text);
      assertEquals(expected.decode(ids), actual.decode(ids), text);
    }
  }

  @Test
  void modelFile() throws IOException {
    String name = "tokenizer-llama2/tokenizer.model";
    TokenizerSource source =
        new TokenizerSource.ModelFile(Fixtures.path(name), Fixtures.bytes(name));
    assertSame(Fixtures.llama2(), ModelBuilder.openGguf(export(source)));
  }

  /** A tokenizer.json has merges and no scores; the scores follow from the merges. */
  @Test
  void tokenizerJson() throws IOException {
    String name = "tokenizer-llama2/tokenizer.json";
    TokenizerSource source =
        new TokenizerSource.HuggingFaceJson(Fixtures.path(name), Fixtures.json(name));
    assertSame(Fixtures.llama2Json(), ModelBuilder.openGguf(export(source)));
  }

  @Test
  void mergesThatFollowFromNoScoresAreRefused() throws IOException {
    String name = "tokenizer-llama2/tokenizer.json";
    Map<String, Object> document = Fixtures.json(name);
    @SuppressWarnings("unchecked")
    Map<String, Object> model = (Map<String, Object>) document.get("model");
    List<Object> merges = new ArrayList<>((List<?>) model.get("merges"));
    Object first = merges.remove(0);
    model.put("merges", merges);
    TokenizerSource missing = new TokenizerSource.HuggingFaceJson(Fixtures.path(name), document);
    FormatException e = assertThrows(FormatException.class, () -> export(missing));
    assertTrue(e.getMessage().contains("tokenizer.model"), first + ": " + e.getMessage());
  }

  @Test
  void piecesOfEveryType() {
    ModelBuilder builder =
        new ModelBuilder(true)
            .normal("\u2581", "a", "b", "ab", "\u2581ab")
            .piece("<eot>", 0, Definition.Type.CONTROL)
            .piece("[X]", 0, Definition.Type.USER_DEFINED);
    Tokenizer expected = builder.open();
    TokenizerSource source =
        new TokenizerSource.GgufVocabulary(ModelBuilder.ORIGIN, builder.gguf());
    assertEquals(builder.gguf().keySet(), export(source).keySet());
    Definition definition = GgufReader.read(ModelBuilder.ORIGIN, builder.gguf());
    Tokenizer actual = ModelBuilder.openGguf(GgufExport.of(definition));
    for (String text : new String[] {"", "ab", "  ab[X]abba\u00e9 ", "a\nb", "<eot>", "\u2581ab"}) {
      assertArrayEquals(expected.encode(text), actual.encode(text), text);
    }
    assertEquals(expected.specialTokens(), actual.specialTokens());
  }
}
