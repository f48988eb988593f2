package dev.llama.sentencepiece;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.FormatException;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.sentencepiece.Definition.Type;
import dev.llama.spi.TokenizerSource;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** The vocabulary inside a GGUF file. */
class GgufReaderTest {

  private static ModelBuilder builder() {
    return new ModelBuilder(true)
        .normal("\u2581", "a", "b", "ab", "\u2581ab")
        .piece("<eot>", 0, Type.CONTROL)
        .piece("[X]", 0, Type.USER_DEFINED);
  }

  @Test
  void isTheSameTokenizerAsTheModelFile() {
    Tokenizer model = builder().open();
    Tokenizer gguf = ModelBuilder.openGguf(builder().gguf());
    for (String text : new String[] {"", "ab", "  ab[X]abba\u00e9 ", "a\nb", "<s>", "\u2581ab"}) {
      assertArrayEquals(model.encode(text), gguf.encode(text), text);
      assertEquals(model.decode(model.encode(text)), gguf.decode(model.encode(text)));
    }
    assertEquals(model.specialTokens(), gguf.specialTokens());
    assertEquals(model.bos(), gguf.bos());
    assertEquals(model.eos(), gguf.eos());
    assertTrue(gguf.addsBos());
  }

  @Test
  void llama2GoldensFromGgufMetadata() throws IOException {
    Definition llama2 =
        ModelReader.read(ModelBuilder.ORIGIN, Fixtures.bytes("tokenizer-llama2/tokenizer.model"));
    ModelBuilder builder = new ModelBuilder(false);
    builder.texts.clear();
    builder.scores.clear();
    builder.types.clear();
    llama2.pieces().forEach(piece -> builder.piece(piece.text(), piece.score(), piece.type()));
    Tokenizer tokenizer = ModelBuilder.openGguf(builder.gguf());
    for (Map<String, Object> row : Fixtures.jsonLines("tokenizer-llama2/goldens.jsonl")) {
      assertArrayEquals(Fixtures.ids(row.get("ids")), tokenizer.encode((String) row.get("text")));
    }
  }

  @Test
  void honoursTheKeysOfTheFile() {
    Map<String, Object> metadata = builder().gguf();
    int eot = builder().texts.indexOf("<eot>");
    metadata.put("tokenizer.ggml.bos_token_id", 2L);
    metadata.put("tokenizer.ggml.eos_token_id", 1L);
    metadata.put("tokenizer.ggml.eot_token_id", (long) eot);
    metadata.put("tokenizer.ggml.add_bos_token", false);
    metadata.put("tokenizer.ggml.add_space_prefix", false);
    Tokenizer tokenizer = ModelBuilder.openGguf(metadata);
    assertEquals(OptionalInt.of(2), tokenizer.bos());
    assertEquals(OptionalInt.of(1), tokenizer.eos());
    assertEquals(Set.of(1, eot), tokenizer.stopIds());
    assertFalse(tokenizer.addsBos());
    assertArrayEquals(new int[] {3 + 256 + 3}, tokenizer.encode("ab"));
    assertEquals(" ab", tokenizer.decode(3 + 256 + 4));
    metadata.put("tokenizer.ggml.remove_extra_whitespaces", true);
    assertArrayEquals(new int[] {3 + 256 + 3}, ModelBuilder.openGguf(metadata).encode("  ab  "));
  }

  /** Old files have no types; then the texts and the ids say what is what. */
  @Test
  void worksWithoutTokenTypes() {
    Map<String, Object> metadata = builder().gguf();
    metadata.remove("tokenizer.ggml.token_type");
    Tokenizer tokenizer = ModelBuilder.openGguf(metadata);
    assertEquals(Set.of("<unk>", "<s>", "</s>"), tokenizer.specialTokens().keySet());
    assertEquals("ab\n", tokenizer.decode(tokenizer.encode("ab\n")));
  }

  @Test
  void leavesOtherVocabulariesToOthers() {
    Map<String, Object> metadata = builder().gguf();
    metadata.put("tokenizer.ggml.model", "gpt2");
    assertFalse(
        new SentencePieceProvider()
            .open(
                new TokenizerSource.GgufVocabulary(ModelBuilder.ORIGIN, metadata),
                TokenizerOptions.defaults())
            .isPresent());
  }

  @Test
  void refusesBrokenMetadata() {
    refused("tokens", null, "missing");
    refused("tokens", List.of(), "list of texts");
    refused("tokens", List.of("a", 1L), "tokens[1]");
    refused("scores", null, "missing");
    refused("scores", new float[3], "3 numbers");
    refused("scores", new int[3], "float32");
    refused("token_type", new int[3], "3 numbers");
    refused("token_type", "x", "list of integers");
    refused("bos_token_id", 100_000L, "100000");
    refused("eos_token_id", -1L, "-1");
    refused("unknown_token_id", "x", "an id");
    refused("add_bos_token", 1L, "true or false");
    refused("precompiled_charsmap", new int[] {1}, "precompiled_charsmap");
    int[] types = builder().types.stream().mapToInt(type -> type).toArray();
    types[4] = 7;
    refused("token_type", types, "token_type[4] is 7");
    float[] scores = new float[types.length];
    scores[5] = Float.NaN;
    refused("scores", scores, "scores[5]");
  }

  private static void refused(String key, Object value, String reason) {
    Map<String, Object> metadata = builder().gguf();
    metadata.put("tokenizer.ggml." + key, value);
    if (value == null) {
      metadata.remove("tokenizer.ggml." + key);
    }
    String message =
        assertThrows(FormatException.class, () -> ModelBuilder.openGguf(metadata)).getMessage();
    assertTrue(message.contains(reason) && message.contains(key), message);
  }
}
