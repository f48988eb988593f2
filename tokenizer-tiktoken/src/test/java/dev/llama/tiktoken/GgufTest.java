package dev.llama.tiktoken;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.FormatException;
import dev.llama.Specials;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.spi.Texts;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Byte-level vocabularies inside GGUF files. */
class GgufTest {
  private static final String TEXT = "It was raining; the ferry's late.\n\n  naïve 東京 12345 🙂  ";

  /** The toy vocabulary, then: control, user-defined, unused, control. */
  private static Map<String, Object> metadata() {
    List<String> tokens = new ArrayList<>();
    ToyVocabulary.RANKS.forEach(token -> tokens.add(ToyVocabulary.visible(token)));
    int[] types = new int[410];
    Arrays.fill(types, 1);
    tokens.addAll(List.of("<|begin|>", "[tag]", "[PAD]", "<|end|>"));
    types[406] = 3;
    types[407] = 4;
    types[408] = 5;
    types[409] = 3;
    List<String> merges = new ArrayList<>();
    for (String[] pair : ToyVocabulary.MERGES) {
      merges.add(ToyVocabulary.visible(pair[0]) + " " + ToyVocabulary.visible(pair[1]));
    }
    Map<String, Object> metadata = new HashMap<>();
    metadata.put("tokenizer.ggml.model", "gpt2");
    metadata.put("tokenizer.ggml.pre", "llama-bpe");
    metadata.put("tokenizer.ggml.tokens", tokens);
    metadata.put("tokenizer.ggml.token_type", types);
    metadata.put("tokenizer.ggml.merges", merges);
    metadata.put("tokenizer.ggml.bos_token_id", 406L);
    metadata.put("tokenizer.ggml.eos_token_id", 409L);
    return metadata;
  }

  @Test
  void givesTheIdsOfTheRanks() {
    Tokenizer tokenizer = GgufMetadata.tokenizer(metadata());
    assertArrayEquals(ToyVocabulary.tokenizer().encode(TEXT), tokenizer.encode(TEXT));
    assertEquals(410, tokenizer.vocabularySize());
    assertEquals(406, tokenizer.bos().orElseThrow());
    assertEquals(409, tokenizer.eos().orElseThrow());
    assertEquals(Set.of(409), tokenizer.stopIds());
    assertTrue(tokenizer.addsBos(), "llama-bpe does");
  }

  @Test
  void textsOutOfAFileAreReadLikeStrings() {
    Map<String, Object> metadata = metadata();
    for (String key : List.of("tokenizer.ggml.tokens", "tokenizer.ggml.merges")) {
      metadata.put(key, Texts.of(strings(metadata, key)));
    }
    Tokenizer tokenizer = GgufMetadata.tokenizer(metadata);
    assertArrayEquals(ToyVocabulary.tokenizer().encode(TEXT), tokenizer.encode(TEXT));
    assertEquals("[PAD]", tokenizer.decode(408));
  }

  @SuppressWarnings("unchecked")
  private static List<String> strings(Map<String, Object> metadata, String key) {
    return (List<String>) metadata.get(key);
  }

  @ParameterizedTest
  @CsvSource({
    "a, '] is \"a\"; expected two tokens'",
    "' a', '] is \" a\"; expected two tokens'",
    "'a ', '] is \"a \"; expected two tokens'",
    "'a b c', '] needs the token \"b c\"'",
    "a 東, '] needs the token \"東\"'",
    "東 a, '] needs the token \"東\"'",
    "qx a, '] needs the token \"qx\"'",
    "a qx, '] needs the token \"qx\"'",
    "q x, '] needs the token \"qx\"'"
  })
  void brokenMergesAreNamed(String merge, String message) {
    Map<String, Object> metadata = metadata();
    List<String> merges = new ArrayList<>(strings(metadata, "tokenizer.ggml.merges"));
    int last = merges.size();
    merges.add(merge);
    for (List<String> list : List.of(merges, Texts.of(merges))) {
      metadata.put("tokenizer.ggml.merges", list);
      FormatException e =
          assertThrows(FormatException.class, () -> GgufMetadata.tokenizer(metadata));
      assertTrue(e.getMessage().contains("merges[" + last + message), e.getMessage());
    }
  }

  @Test
  void typesOfTokens() {
    Tokenizer tokenizer = GgufMetadata.tokenizer(metadata());
    assertEquals(Map.of("<|begin|>", 406, "<|end|>", 409), tokenizer.specialTokens());
    assertArrayEquals(new int[] {407}, tokenizer.encode("[tag]"));
    assertArrayEquals(new int[] {406}, tokenizer.encode("<|begin|>", Specials.ALL));
    assertTrue(tokenizer.encode("[PAD]", Specials.ALL).length > 1);
    assertEquals("[PAD]", tokenizer.decode(408));
  }

  @Test
  void optionalKeys() {
    Map<String, Object> metadata = metadata();
    metadata.put("tokenizer.ggml.add_bos_token", false);
    metadata.put("tokenizer.ggml.eot_token_id", 407L);
    Tokenizer tokenizer = GgufMetadata.tokenizer(metadata);
    assertFalse(tokenizer.addsBos());
    assertEquals(Set.of(407, 409), tokenizer.stopIds());
  }

  @ParameterizedTest
  @CsvSource({"gpt-2, false", "qwen2, false", "smaug-bpe, false", "llama3, true", "llama-v3, true"})
  void preTokenizers(String pre, boolean addsBos) {
    Map<String, Object> metadata = metadata();
    metadata.put("tokenizer.ggml.pre", pre);
    Tokenizer tokenizer = GgufMetadata.tokenizer(metadata);
    assertEquals(addsBos, tokenizer.addsBos());
    assertEquals(TEXT, tokenizer.decode(tokenizer.encode(TEXT)));
  }

  @Test
  void unknownPreTokenizersAreRefusedByNameUnlessThePatternIsGiven() {
    for (String pre : new String[] {"deepseek-coder", null}) {
      Map<String, Object> metadata = metadata();
      metadata.put("tokenizer.ggml.pre", pre);
      FormatException e =
          assertThrows(FormatException.class, () -> GgufMetadata.tokenizer(metadata));
      assertTrue(e.getMessage().contains(String.valueOf(pre)), e.getMessage());
      Tokenizer tokenizer =
          GgufMetadata.tokenizer(
              metadata, TokenizerOptions.defaults().pattern(SplitPattern.LLAMA3));
      assertArrayEquals(ToyVocabulary.tokenizer().encode(TEXT), tokenizer.encode(TEXT));
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"tokens", "token_type", "merges", "bos_token_id", "eot_token_id", "add_bos_token"})
  void valuesOfTheWrongKindAreNamed(String key) {
    for (Object wrong : new Object[] {"text", 1.5, List.of(7L), new int[3], 99_999L}) {
      Map<String, Object> metadata = metadata();
      metadata.put("tokenizer.ggml." + key, wrong);
      FormatException e =
          assertThrows(FormatException.class, () -> GgufMetadata.tokenizer(metadata));
      assertTrue(e.getMessage().contains("tokenizer.ggml." + key), e.getMessage());
    }
  }

  @Test
  void missingListsAreNamed() {
    for (String key : List.of("tokenizer.ggml.tokens", "tokenizer.ggml.merges")) {
      Map<String, Object> metadata = metadata();
      metadata.remove(key);
      FormatException e =
          assertThrows(FormatException.class, () -> GgufMetadata.tokenizer(metadata));
      assertTrue(e.getMessage().contains(key + " is missing"), e.getMessage());
    }
  }
}
