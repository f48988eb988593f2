package dev.llama.tiktoken;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.llama.FormatException;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.spi.TokenizerSource;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Vocabularies written as GGUF metadata are the same tokenizers. */
class GgufExportTest {
  private static final String TEXT = "It was raining; the ferry's late.\n\n  naïve 東京 12345 🙂  ";

  private static Map<String, Object> export(TokenizerSource source) {
    return Fixtures.PROVIDER.ggufMetadata(source, TokenizerOptions.defaults()).orElseThrow();
  }

  private static void assertSame(Tokenizer expected, Tokenizer actual) {
    assertEquals(expected.bos(), actual.bos());
    assertEquals(expected.eos(), actual.eos());
    assertEquals(expected.addsBos(), actual.addsBos());
    assertEquals(expected.stopIds(), actual.stopIds());
    assertEquals(expected.specialTokens(), actual.specialTokens());
    assertEquals(expected.vocabularySize(), actual.vocabularySize());
  }

  @ParameterizedTest
  @ValueSource(strings = {"tokenizer-llama3/", "tokenizer-llama3/small/"})
  void ranks(String folder) {
    String file = folder + "tokenizer.model";
    TokenizerSource source =
        new TokenizerSource.ModelFile(Fixtures.path(file), Fixtures.bytes(file));
    Tokenizer expected = Fixtures.ranks(file);
    Tokenizer actual = GgufMetadata.tokenizer(export(source));
    assertSame(expected, actual);
    for (JsonObject line : Fixtures.lines(folder + "goldens.jsonl")) {
      String text = line.get("text").getAsString();
      assertArrayEquals(expected.encode(text), actual.encode(text), text);
    }
  }

  /** The list of Hugging Face's converter, merge for merge. */
  @Test
  void mergesOfRanksAreThoseOfTheConverter() {
    String file = "tokenizer-llama3/tokenizer.model";
    TokenizerSource source =
        new TokenizerSource.ModelFile(Fixtures.path(file), Fixtures.bytes(file));
    Map<String, Object> json =
        export(Fixtures.huggingFaceSource("tokenizer-llama3/tokenizer.json.gz"));
    Map<String, Object> ranks = export(source);
    assertEquals("llama-bpe", ranks.get("tokenizer.ggml.pre"));
    assertEquals("llama-bpe", json.get("tokenizer.ggml.pre"));
    assertEquals(json.get("tokenizer.ggml.tokens"), ranks.get("tokenizer.ggml.tokens"));
    assertArrayEquals(
        (int[]) json.get("tokenizer.ggml.token_type"),
        (int[]) ranks.get("tokenizer.ggml.token_type"));
    List<?> expected = (List<?>) json.get("tokenizer.ggml.merges");
    List<?> actual = (List<?>) ranks.get("tokenizer.ggml.merges");
    assertEquals(expected.size(), actual.size());
    for (int i = 0; i < expected.size(); i++) {
      assertEquals(expected.get(i), actual.get(i), "merge " + i);
    }
  }

  @Test
  void tokenizerJson() {
    Map<String, Object> document = ToyVocabulary.huggingFace();
    Tokenizer expected = ToyVocabulary.open(document);
    TokenizerSource source =
        new TokenizerSource.HuggingFaceJson(Path.of("tokenizer.json"), document);
    Map<String, Object> metadata = export(source);
    Tokenizer actual = GgufMetadata.tokenizer(metadata);
    assertSame(expected, actual);
    assertArrayEquals(expected.encode(TEXT), actual.encode(TEXT));
    TokenizerSource gguf = new TokenizerSource.GgufVocabulary(Path.of("a.gguf"), metadata);
    assertEquals(metadata.keySet(), export(gguf).keySet());
  }

  @Test
  void gapsAreFilled() {
    Map<String, Object> document = ToyVocabulary.huggingFace();
    @SuppressWarnings("unchecked")
    Map<String, Object> model = (Map<String, Object>) document.get("model");
    @SuppressWarnings("unchecked")
    Map<String, Object> vocabulary = (Map<String, Object>) model.get("vocab");
    vocabulary.put("zebra", 420L);
    Map<String, Object> metadata =
        export(new TokenizerSource.HuggingFaceJson(Path.of("tokenizer.json"), document));
    List<?> tokens = (List<?>) metadata.get("tokenizer.ggml.tokens");
    assertEquals("zebra", tokens.get(420));
    assertEquals("[PAD415]", tokens.get(415));
    assertEquals(5, ((int[]) metadata.get("tokenizer.ggml.token_type"))[415]);
  }

  @Test
  void whatGgufCannotSayIsRefused() {
    Map<String, Object> document = ToyVocabulary.huggingFace();
    TokenizerSource source =
        new TokenizerSource.HuggingFaceJson(Path.of("tokenizer.json"), document);
    TokenizerOptions other = TokenizerOptions.defaults().pattern("[a-z]+|[^a-z]+");
    FormatException e =
        assertThrows(FormatException.class, () -> Fixtures.PROVIDER.ggufMetadata(source, other));
    assertTrue(e.getMessage().contains("[a-z]+"), e.getMessage());
    List<Object> added = new ArrayList<>();
    added.add(Map.of("id", 430L, "content", "<tag>", "special", true, "lstrip", true));
    document.put("added_tokens", added);
    TokenizerSource stripping =
        new TokenizerSource.HuggingFaceJson(Path.of("tokenizer.json"), document);
    e = assertThrows(FormatException.class, () -> export(stripping));
    assertTrue(e.getMessage().contains("<tag>"), e.getMessage());
  }
}
