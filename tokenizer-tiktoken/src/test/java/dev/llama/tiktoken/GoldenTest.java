package dev.llama.tiktoken;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.llama.ChatMessage;
import dev.llama.Specials;
import dev.llama.Tokenizer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;

/** The ids of the reference implementations, from every form of the vocabulary. */
class GoldenTest {
  private static final String DIR = "tokenizer-llama3/";

  /** Ranks of Llama 3; also what does not depend on the form of the file. */
  @Nested
  @TestInstance(Lifecycle.PER_CLASS) // reads the vocabulary once
  class Ranks {
    private final Tokenizer tokenizer = Fixtures.ranks(DIR + "tokenizer.model");

    @Test
    void goldens() {
      assertGoldens(tokenizer, DIR + "goldens.jsonl", 419);
    }

    @Test
    void vectorsOfLlamaCpp() {
      List<JsonObject> lines = Fixtures.lines(DIR + "llama_cpp_vectors.jsonl");
      assertEquals(47, lines.size());
      lines.forEach(line -> assertEncodes(tokenizer, line, Specials.NONE));
    }

    @Test
    void unpairedSurrogates() {
      for (JsonObject line : Fixtures.lines(DIR + "surrogates.jsonl")) {
        assertEncodes(tokenizer, line, Specials.NONE);
        String decoded = tokenizer.decode(Fixtures.ids(line.get("ids")));
        assertEquals(line.get("well_formed").getAsString(), decoded);
      }
    }

    @Test
    void lettersAndDigitsOfUnicode14To16() {
      Fixtures.lines(DIR + "recent_unicode.jsonl")
          .forEach(line -> assertEncodes(tokenizer, line, Specials.NONE));
    }

    @Test
    void longTexts() throws Exception {
      for (JsonObject line : Fixtures.lines(DIR + "chunking.jsonl")) {
        String unit = line.get("unit").getAsString();
        int[] ids = tokenizer.encode(unit.repeat(line.get("repeat").getAsInt()));
        JsonObject plain = line.getAsJsonObject("plain");
        assertEquals(plain.get("count").getAsInt(), ids.length, unit);
        int[] first = Fixtures.ids(plain.get("first"));
        assertArrayEquals(first, Arrays.copyOf(ids, first.length), unit);
        ByteBuffer bytes = ByteBuffer.allocate(4 * ids.length).order(ByteOrder.LITTLE_ENDIAN);
        bytes.asIntBuffer().put(ids);
        byte[] digest = MessageDigest.getInstance("SHA-256").digest(bytes.array());
        assertEquals(
            plain.get("sha256_int32_le").getAsString(), HexFormat.of().formatHex(digest), unit);
      }
    }

    @Test
    void chat() {
      assertChat(tokenizer);
    }

    @Test
    void decode() {
      assertDecodes(tokenizer, DIR + "decode.jsonl");
    }

    @Test
    void countsAndSpecialTokens() {
      JsonObject expected = Fixtures.json(DIR + "expected.json").getAsJsonObject();
      assertEquals(expected.get("vocab_size").getAsInt(), tokenizer.vocabularySize());
      assertEquals(expected.get("bos").getAsInt(), tokenizer.bos().orElseThrow());
      assertEquals(expected.get("eos").getAsInt(), tokenizer.eos().orElseThrow());
      Set<Integer> stops = Set.of(128001, 128008, 128009);
      assertEquals(stops, tokenizer.stopIds());
      assertArrayEquals(
          stops.stream().sorted().mapToInt(i -> i).toArray(),
          Fixtures.ids(expected.get("stop_ids")));
      assertTrue(tokenizer.addsBos());
      assertEquals(specialTokens(DIR + "special_tokens.json"), tokenizer.specialTokens());
    }
  }

  /** The same vocabulary as tokenizer.json, with merges. */
  @Nested
  @TestInstance(Lifecycle.PER_CLASS) // reads the vocabulary once
  class HuggingFace {
    private final Tokenizer tokenizer = Fixtures.huggingFace(DIR + "tokenizer.json.gz");

    @Test
    void goldens() {
      assertGoldens(tokenizer, DIR + "goldens.jsonl", 419);
      Fixtures.lines(DIR + "llama_cpp_vectors.jsonl")
          .forEach(line -> assertEncodes(tokenizer, line, Specials.NONE));
    }

    @Test
    void chatAndDecode() {
      assertChat(tokenizer);
      assertDecodes(tokenizer, DIR + "decode.jsonl");
    }

    @Test
    void sameProperties() {
      Tokenizer ranks = Fixtures.ranks(DIR + "tokenizer.model");
      assertEquals(ranks.specialTokens(), tokenizer.specialTokens());
      assertEquals(ranks.stopIds(), tokenizer.stopIds());
      assertEquals(ranks.bos(), tokenizer.bos());
      assertEquals(ranks.eos(), tokenizer.eos());
      assertEquals(ranks.addsBos(), tokenizer.addsBos());
      assertEquals(ranks.vocabularySize(), tokenizer.vocabularySize());
      assertEquals(ranks.piece(279), tokenizer.piece(279));
    }
  }

  /** A vocabulary whose ids do not follow the bytes. */
  @Nested
  class Small {
    @Test
    void ranks() {
      assertSmall(Fixtures.ranks(DIR + "small/tokenizer.model"));
    }

    @Test
    void huggingFace() {
      assertSmall(Fixtures.huggingFace(DIR + "small/tokenizer.json"));
    }

    @Test
    void gguf() {
      Map<String, Object> metadata = GgufMetadata.read(Fixtures.path("gguf/llama-bpe-F16.gguf"));
      assertSmall(GgufMetadata.tokenizer(metadata));
    }

    private void assertSmall(Tokenizer tokenizer) {
      assertGoldens(tokenizer, DIR + "small/goldens.jsonl", 321);
      assertDecodes(tokenizer, DIR + "small/decode.jsonl");
      assertEquals(specialTokens(DIR + "small/special_tokens.json"), tokenizer.specialTokens());
      assertEquals(Set.of(2049, 2056, 2057), tokenizer.stopIds());
    }
  }

  private static void assertGoldens(Tokenizer tokenizer, String file, int count) {
    List<JsonObject> lines = Fixtures.lines(file);
    assertEquals(count, lines.size());
    for (JsonObject line : lines) {
      boolean specials = line.get("specials").getAsBoolean();
      assertEncodes(tokenizer, line, specials ? Specials.ALL : Specials.NONE);
      int[] ids = Fixtures.ids(line.get("ids"));
      assertEquals(line.get("text").getAsString(), tokenizer.decode(ids));
    }
  }

  private static void assertEncodes(Tokenizer tokenizer, JsonObject line, Specials specials) {
    String text = line.get("text").getAsString();
    int[] ids = Fixtures.ids(line.get("ids"));
    assertArrayEquals(ids, tokenizer.encode(text, specials), () -> "text: " + text);
  }

  private static void assertChat(Tokenizer tokenizer) {
    List<JsonObject> lines = Fixtures.lines(DIR + "chat.jsonl");
    assertEquals(22, lines.size());
    for (JsonObject line : lines) {
      boolean prompt = line.get("add_generation_prompt").getAsBoolean();
      assertArrayEquals(
          Fixtures.ids(line.get("ids")),
          tokenizer.encodeChat(messages(line, Function.identity()), prompt));
      if (line.has("ids_trimmed")) {
        assertArrayEquals(
            Fixtures.ids(line.get("ids_trimmed")),
            tokenizer.encodeChat(messages(line, String::strip), prompt));
      }
    }
  }

  private static List<ChatMessage> messages(JsonObject line, Function<String, String> change) {
    List<ChatMessage> messages = new ArrayList<>();
    for (JsonElement element : line.getAsJsonArray("messages")) {
      JsonObject message = element.getAsJsonObject();
      messages.add(
          new ChatMessage(
              message.get("role").getAsString(),
              change.apply(message.get("content").getAsString()),
              message.has("end") && message.get("end").getAsString().equals("eom")));
    }
    return messages;
  }

  private static void assertDecodes(Tokenizer tokenizer, String file) {
    for (JsonObject line : Fixtures.lines(file)) {
      int[] ids = Fixtures.ids(line.get("ids"));
      byte[] bytes = HexFormat.of().parseHex(line.get("bytes_hex").getAsString());
      assertArrayEquals(bytes, tokenizer.decodeBytes(ids));
      String text = tokenizer.decode(ids);
      // Where the bytes are valid this is the text; elsewhere, the replacement characters.
      assertEquals(new String(bytes, StandardCharsets.UTF_8), text);
      assertEquals(!line.get("valid_utf8").getAsBoolean(), text.contains("\uFFFD"));
      assertStreams(tokenizer, ids, text);
    }
  }

  private static void assertStreams(Tokenizer tokenizer, int[] ids, String text) {
    Tokenizer.Decoder decoder = tokenizer.newDecoder();
    StringBuilder streamed = new StringBuilder();
    for (int id : ids) {
      assertFalse(tokenizer.specialTokens().containsValue(id), "special tokens are left out");
      streamed.append(decoder.append(id));
    }
    assertEquals(text, streamed.append(decoder.flush()).toString());
  }

  private static Map<String, Integer> specialTokens(String file) {
    Map<String, Integer> tokens = new LinkedHashMap<>();
    Fixtures.json(file)
        .getAsJsonObject()
        .entrySet()
        .forEach(e -> tokens.put(e.getKey(), e.getValue().getAsInt()));
    return tokens;
  }
}
