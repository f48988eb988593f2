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
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What tokenizer.json can ask for: honoured, or refused by name. */
class HuggingFaceTest {
  private static final String TEXT = "It was raining; the ferry's late.\n\n  naïve 東京 12345 🙂  ";

  @Test
  void mergesGiveTheIdsOfTheRanks() {
    int[] expected = ToyVocabulary.tokenizer().encode(TEXT);
    assertArrayEquals(expected, ToyVocabulary.open(ToyVocabulary.huggingFace()).encode(TEXT));
    Map<String, Object> pairs = ToyVocabulary.huggingFace();
    List<Object> arrays = new ArrayList<>();
    for (String[] pair : ToyVocabulary.MERGES) {
      arrays.add(List.of(ToyVocabulary.visible(pair[0]), ToyVocabulary.visible(pair[1])));
    }
    model(pairs).put("merges", arrays);
    assertArrayEquals(expected, ToyVocabulary.open(pairs).encode(TEXT));
  }

  @Test
  void ignoreMergesDecidesWhetherAWholePieceNeedsMerges() {
    Map<String, Object> document = ToyVocabulary.huggingFace();
    vocabulary(document).put("zebra", 406L); // no merges make it
    assertArrayEquals(new int[] {406}, ToyVocabulary.open(document).encode("zebra"));
    model(document).put("ignore_merges", false);
    Tokenizer merging = ToyVocabulary.open(document);
    assertTrue(merging.encode("zebra").length > 1);
    assertArrayEquals(ToyVocabulary.tokenizer().encode(TEXT), merging.encode(TEXT));
    assertEquals("zebra", merging.decode(406));
  }

  @Test
  void addedTokens() {
    Map<String, Object> document = ToyVocabulary.huggingFace();
    List<Object> added = new ArrayList<>();
    added.add(added(406, "<|special|>", true));
    added.add(added(407, "[tag]", false));
    Map<String, Object> strip = added(408, "[strip]", false);
    strip.put("lstrip", true);
    strip.put("rstrip", true);
    added.add(strip);
    Map<String, Object> late = added(409, "tag]x", false);
    late.put("normalized", true);
    added.add(late);
    document.put("added_tokens", added);
    Tokenizer tokenizer = ToyVocabulary.open(document);

    int[] a = tokenizer.encode("a");
    assertEquals(Map.of("<|special|>", 406), tokenizer.specialTokens());
    assertArrayEquals(new int[] {406, a[0]}, tokenizer.encode("<|special|>a", Specials.ALL));
    assertFalse(contains(tokenizer.encode("<|special|>a"), 406));
    assertArrayEquals(new int[] {407, a[0]}, tokenizer.encode("[tag]a"), "not special: always");
    assertArrayEquals(
        new int[] {a[0], 408, a[0]},
        tokenizer.encode("a \u3000[strip]\n\t a"),
        "takes white space");
    assertEquals(407, tokenizer.encode("[tag]x")[0], "late tokens come second");
    assertArrayEquals(new int[] {409}, tokenizer.encode("tag]x"));
    Tokenizer.Decoder decoder = tokenizer.newDecoder();
    assertEquals("", decoder.append(406));
    assertEquals("[tag]", decoder.append(407));
    assertEquals(410, tokenizer.vocabularySize());
  }

  @Test
  void byteLevelAloneSplitsLikeGpt2() {
    Map<String, Object> document = ToyVocabulary.huggingFace();
    Map<String, Object> byteLevel = new HashMap<>();
    byteLevel.put("type", "ByteLevel");
    byteLevel.put("add_prefix_space", true);
    document.put("pre_tokenizer", byteLevel);
    document.put("added_tokens", List.of(added(406, "[tag]", false)));
    Tokenizer tokenizer = ToyVocabulary.open(document);
    Tokenizer gpt2 =
        ToyVocabulary.tokenizer(TokenizerOptions.defaults().pattern(SplitPattern.GPT2));
    assertArrayEquals(gpt2.encode(" " + TEXT), tokenizer.encode(TEXT));
    assertArrayEquals(gpt2.encode(" the"), tokenizer.encode(" the"), "has one already");
    assertEquals(" the[tag] the", tokenizer.decode(tokenizer.encode("the[tag]the")));
    assertEquals(0, tokenizer.encode("").length);
  }

  @Test
  void splitsThatRemoveTheRestAndSplitsThatKeepIt() {
    for (boolean invert : new boolean[] {true, false}) {
      Map<String, Object> document = ToyVocabulary.huggingFace();
      Map<String, Object> split = split(document);
      split.put("pattern", Map.of("Regex", "\\p{L}+"));
      split.put("behavior", invert ? "Removed" : "Isolated");
      split.put("invert", invert);
      Tokenizer tokenizer = ToyVocabulary.open(document);
      assertEquals(invert ? "ab" : "a-b!", tokenizer.decode(tokenizer.encode("a-b!")));
    }
  }

  @Test
  void theTemplateSaysWhetherAPromptBeginsWithBos() {
    Map<String, Object> document = ToyVocabulary.huggingFace();
    document.put(
        "added_tokens",
        List.of(added(406, "<s>", true), added(407, "</s>", true), added(408, "<|eot_id|>", true)));
    Tokenizer without = ToyVocabulary.open(document);
    assertFalse(without.addsBos());
    document.put("post_processor", template(Map.of("SpecialToken", Map.of("id", "<s>"))));
    Tokenizer with = ToyVocabulary.open(document);
    assertTrue(with.addsBos());
    assertEquals(406, with.bos().orElseThrow());
    assertEquals(407, with.eos().orElseThrow());
    assertEquals(Set.of(407, 408), with.stopIds());
  }

  private static Map<String, Object> template(Map<String, Object> first) {
    Map<String, Object> template = new HashMap<>();
    template.put("type", "TemplateProcessing");
    template.put("single", List.of(first, Map.of("Sequence", Map.of("id", "A"))));
    template.put("special_tokens", Map.of("<s>", Map.of("ids", List.of(406L))));
    return template;
  }

  @Test
  void anotherPatternOverridesAPreTokenizerThatIsNotImplemented() {
    Map<String, Object> document = ToyVocabulary.huggingFace();
    document.put("pre_tokenizer", Map.of("type", "Whitespace"));
    TokenizerOptions options = TokenizerOptions.defaults().pattern(SplitPattern.LLAMA3);
    assertArrayEquals(
        ToyVocabulary.tokenizer().encode(TEXT), ToyVocabulary.open(document, options).encode(TEXT));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("faults")
  void faultsAreNamed(String name, Consumer<Map<String, Object>> change) {
    Map<String, Object> document = ToyVocabulary.huggingFace();
    change.accept(document);
    FormatException e = assertThrows(FormatException.class, () -> ToyVocabulary.open(document));
    assertTrue(e.getMessage().contains(name), e.getMessage());
    assertTrue(e.getMessage().startsWith("tokenizer.json: "), e.getMessage());
  }

  static Stream<Arguments> faults() {
    return Stream.of(
        fault("normalizer", d -> d.put("normalizer", Map.of("type", "NFC"))),
        fault("pre_tokenizer", d -> d.put("pre_tokenizer", null)),
        fault("pre_tokenizer", d -> d.put("pre_tokenizer", Map.of("type", "Whitespace"))),
        fault("pre_tokenizer.pretokenizers", d -> steps(d).add(split(d))),
        fault("use_regex", d -> step(d, 1).put("use_regex", true)),
        fault("add_prefix_space", d -> step(d, 1).put("add_prefix_space", true)),
        fault("behavior", d -> split(d).put("behavior", "MergedWithPrevious")),
        fault("behavior", d -> split(d).put("invert", true)),
        fault("pattern.Regex", d -> split(d).put("pattern", Map.of("Regex", "(a"))),
        fault("pattern.String", d -> split(d).put("pattern", Map.of())),
        fault("decoder", d -> d.put("decoder", Map.of("type", "Metaspace"))),
        fault("dropout", d -> model(d).put("dropout", 0.1)),
        fault("end_of_word_suffix", d -> model(d).put("end_of_word_suffix", "</w>")),
        fault("continuing_subword_prefix", d -> model(d).put("continuing_subword_prefix", "##")),
        fault("model is missing", d -> d.remove("model")),
        fault("model.vocab", d -> model(d).put("vocab", List.of())),
        fault("model.vocab.the", d -> vocabulary(d).put("the", 1.5)),
        fault("id 7", d -> vocabulary(d).put("twice", 7L)),
        fault("1048575", d -> vocabulary(d).put("far", 1L << 40)),
        fault(
            "single byte 97",
            d -> {
              vocabulary(d).remove("a");
              model(d).put("merges", List.of());
            }),
        fault("model.merges[0]", d -> model(d).put("merges", List.of("a b c"))),
        fault("model.merges[0]", d -> model(d).put("merges", List.of(List.of("a")))),
        fault("model.merges[0]", d -> model(d).put("merges", List.of("q z"))),
        fault("model.merges", d -> model(d).put("merges", "a b")),
        fault("added_tokens[0].id", d -> d.put("added_tokens", List.of(Map.of("content", "a")))),
        fault("added_tokens[0] is", d -> d.put("added_tokens", List.of(7L))),
        fault("\"<s>\"", d -> d.put("added_tokens", List.of(added(7, "<s>", true)))),
        fault(
            "twice",
            d -> d.put("added_tokens", List.of(added(406, "s", true), added(407, "s", true)))),
        fault("empty", d -> d.put("added_tokens", List.of(added(406, "", true)))),
        fault(
            "single_word",
            d -> {
              Map<String, Object> token = added(406, "<s>", true);
              token.put("single_word", true);
              d.put("added_tokens", List.of(token));
            }),
        fault("post_processor", d -> d.put("post_processor", Map.of("type", "BertProcessing"))),
        fault(
            "post_processor.special_tokens",
            d -> {
              Map<String, Object> template = template(Map.of("SpecialToken", Map.of("id", "<x>")));
              d.put("post_processor", template);
            }));
  }

  private static Arguments fault(String name, Consumer<Map<String, Object>> change) {
    return Arguments.of(name, change);
  }

  private static boolean contains(int[] ids, int id) {
    return Arrays.stream(ids).anyMatch(i -> i == id);
  }

  private static Map<String, Object> added(int id, String content, boolean special) {
    Map<String, Object> token = new LinkedHashMap<>();
    token.put("id", (long) id);
    token.put("content", content);
    token.put("special", special);
    token.put("normalized", false);
    return token;
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> model(Map<String, Object> document) {
    return (Map<String, Object>) document.get("model");
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> vocabulary(Map<String, Object> document) {
    return (Map<String, Object>) model(document).get("vocab");
  }

  @SuppressWarnings("unchecked")
  private static List<Object> steps(Map<String, Object> document) {
    return (List<Object>)
        ((Map<String, Object>) document.get("pre_tokenizer")).get("pretokenizers");
  }

  @SuppressWarnings("unchecked")
  private static Map<String, Object> step(Map<String, Object> document, int index) {
    return (Map<String, Object>) steps(document).get(index);
  }

  private static Map<String, Object> split(Map<String, Object> document) {
    return step(document, 0);
  }
}
