package dev.llama.sentencepiece;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.Tokenizer;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Equality with the SentencePiece library on Llama 2's vocabulary and a small one. */
class GoldenTest {

  @Test
  void encodesAndDecodesAsTheLibraryDoes() throws IOException {
    check(Fixtures.llama2());
  }

  /** The same vocabulary in Hugging Face form, with explicit merge rules, gives the same ids. */
  @Test
  void huggingFaceFormIsTheSameTokenizer() throws IOException {
    check(Fixtures.llama2Json());
  }

  private static void check(Tokenizer tokenizer) throws IOException {
    List<Map<String, Object>> rows = Fixtures.jsonLines("tokenizer-llama2/goldens.jsonl");
    for (Map<String, Object> row : rows) {
      String text = (String) row.get("text");
      int[] ids = Fixtures.ids(row.get("ids"));
      assertArrayEquals(ids, tokenizer.encode(text), text);
      assertArrayEquals(ids, tokenizer.encode(new StringBuilder(text)), text);
      assertEquals(row.get("decoded"), tokenizer.decode(ids));
      assertEquals(
          row.get("decoded"), new String(tokenizer.decodeBytes(ids), StandardCharsets.UTF_8));
    }
    assertEquals(301, rows.size());
    rows = Fixtures.jsonLines("tokenizer-llama2/llama_cpp_vectors.jsonl");
    for (Map<String, Object> row : rows) {
      String text = (String) row.get("text");
      assertArrayEquals(Fixtures.ids(row.get("ids")), tokenizer.encode(text), text);
    }
    assertEquals(47, rows.size());
  }

  /** Any sequence of ids, broken UTF-8 too, byte by broken byte; whole and one token at a time. */
  @Test
  void decodesArbitraryIdsAsTheLibraryDoes() throws IOException {
    for (Tokenizer tokenizer : List.of(Fixtures.llama2(), Fixtures.llama2Json())) {
      List<Map<String, Object>> rows = Fixtures.jsonLines("tokenizer-llama2/decode.jsonl");
      for (Map<String, Object> row : rows) {
        int[] ids = Fixtures.ids(row.get("ids"));
        String text = (String) row.get("text");
        assertEquals(text, tokenizer.decode(ids));
        assertEquals(text, stream(tokenizer, ids));
      }
      assertEquals(90, rows.size());
    }
  }

  private static String stream(Tokenizer tokenizer, int[] ids) {
    Tokenizer.Decoder decoder = tokenizer.newDecoder();
    StringBuilder text = new StringBuilder();
    for (int id : ids) {
      text.append(decoder.append(id));
    }
    return text.append(decoder.flush()).toString();
  }

  @Test
  void knowsLlama2sOwnTokens() throws IOException {
    for (Tokenizer tokenizer : List.of(Fixtures.llama2(), Fixtures.llama2Json())) {
      assertEquals(32000, tokenizer.vocabularySize());
      assertEquals(OptionalInt.of(1), tokenizer.bos());
      assertEquals(OptionalInt.of(2), tokenizer.eos());
      assertEquals(Set.of(2), tokenizer.stopIds());
      assertTrue(tokenizer.addsBos());
      assertEquals(Map.of("<unk>", 0, "<s>", 1, "</s>", 2), tokenizer.specialTokens());
      assertEquals("\u2581the", tokenizer.piece(278));
      assertEquals("<0x0A>", tokenizer.piece(13));
      assertEquals("<s>", tokenizer.piece(1));
    }
  }

  /** A decoder that has seen the prompt streams the rest of the text, spaces included. */
  @Test
  @SuppressWarnings("unchecked")
  void storiesPromptsAndContinuations() throws IOException {
    Tokenizer tokenizer = Fixtures.model("stories260K/tokenizer.model");
    Map<String, Object> expected = Fixtures.json("stories260K/expected.json");
    List<Map<String, Object>> prompts = (List<Map<String, Object>>) expected.get("prompts");
    assertFalse(prompts.isEmpty());
    for (Map<String, Object> row : prompts) {
      String prompt = (String) row.get("prompt");
      int[] promptIds = Fixtures.ids(row.get("prompt_ids"));
      int[] continuation = Fixtures.ids(row.get("continuation_ids"));
      int[] own = tokenizer.encode(prompt);
      assertEquals(promptIds[0], tokenizer.bos().getAsInt());
      assertEquals(promptIds.length - 1, own.length);
      int[] all = new int[promptIds.length + continuation.length];
      System.arraycopy(promptIds, 0, all, 0, promptIds.length);
      System.arraycopy(continuation, 0, all, promptIds.length, continuation.length);
      for (int i = 0; i < own.length; i++) {
        assertEquals(promptIds[i + 1], own[i]);
      }
      assertEquals(row.get("text"), tokenizer.decode(all));
      assertEquals(row.get("text"), stream(tokenizer, all));
    }
  }
}
