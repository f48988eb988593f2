package dev.llama.tiktoken;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.spi.TokenizerSource;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPInputStream;

/** Reference data beside the checkout. Tests that need it are skipped where it is absent. */
final class Fixtures {
  private static final Path ROOT = Path.of(System.getProperty("llama.fixtures", "absent"));
  static final TiktokenProvider PROVIDER = new TiktokenProvider();

  private Fixtures() {}

  static Path path(String relative) {
    assumeTrue(Files.isDirectory(ROOT), () -> "no reference data at " + ROOT);
    return ROOT.resolve(relative);
  }

  static byte[] bytes(String relative) {
    Path file = path(relative);
    try (InputStream in = Files.newInputStream(file)) {
      return relative.endsWith(".gz") ? new GZIPInputStream(in).readAllBytes() : in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static JsonElement json(String relative) {
    return JsonParser.parseString(new String(bytes(relative), StandardCharsets.UTF_8));
  }

  static List<JsonObject> lines(String relative) {
    return new String(bytes(relative), StandardCharsets.UTF_8)
        .lines()
        .map(line -> JsonParser.parseString(line).getAsJsonObject())
        .toList();
  }

  static Tokenizer ranks(String relative) {
    return ranks(relative, TokenizerOptions.defaults());
  }

  static Tokenizer ranks(String relative, TokenizerOptions options) {
    TokenizerSource source = new TokenizerSource.ModelFile(path(relative), bytes(relative));
    return PROVIDER.open(source, options).orElseThrow();
  }

  static Tokenizer huggingFace(String relative) {
    return PROVIDER.open(huggingFaceSource(relative), TokenizerOptions.defaults()).orElseThrow();
  }

  static TokenizerSource.HuggingFaceJson huggingFaceSource(String relative) {
    return new TokenizerSource.HuggingFaceJson(path(relative), object(json(relative)));
  }

  static int[] ids(JsonElement array) {
    return array.getAsJsonArray().asList().stream().mapToInt(JsonElement::getAsInt).toArray();
  }

  @SuppressWarnings("unchecked")
  static Map<String, Object> object(JsonElement json) {
    return (Map<String, Object>) plain(json);
  }

  /** Converts to what {@link TokenizerSource.HuggingFaceJson} promises. */
  private static Object plain(JsonElement json) {
    if (json.isJsonObject()) {
      Map<String, Object> map = new LinkedHashMap<>();
      json.getAsJsonObject().entrySet().forEach(e -> map.put(e.getKey(), plain(e.getValue())));
      return map;
    }
    if (json instanceof JsonArray array) {
      List<Object> list = new ArrayList<>();
      array.forEach(element -> list.add(plain(element)));
      return list;
    }
    if (json.isJsonNull()) {
      return null;
    }
    if (json.getAsJsonPrimitive().isBoolean()) {
      return json.getAsBoolean();
    }
    if (json.getAsJsonPrimitive().isString()) {
      return json.getAsString();
    }
    String number = json.getAsString();
    return number.matches("-?\\d+") ? (Object) Long.valueOf(number) : Double.valueOf(number);
  }
}
