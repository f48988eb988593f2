package dev.llama.sentencepiece;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.spi.TokenizerSource;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The reference data; tests that need it are skipped where it is absent. */
final class Fixtures {
  private Fixtures() {}

  static Path path(String name) {
    Path path = Paths.get(System.getProperty("llama.fixtures", "fixtures")).resolve(name);
    assumeTrue(Files.exists(path), "no reference data at " + path);
    return path;
  }

  static byte[] bytes(String name) throws IOException {
    return Files.readAllBytes(path(name));
  }

  static Map<String, Object> json(String name) throws IOException {
    return Json.object(new String(bytes(name), StandardCharsets.UTF_8));
  }

  static List<Map<String, Object>> jsonLines(String name) throws IOException {
    List<Map<String, Object>> rows = new ArrayList<>();
    for (String line : Files.readAllLines(path(name))) {
      rows.add(Json.object(line));
    }
    return rows;
  }

  /** The broken and odd files of one kind, as their index lists them. */
  static List<Map<String, Object>> malformed(String kind) throws IOException {
    List<Map<String, Object>> rows = new ArrayList<>();
    for (Object row : (List<?>) json("malformed/index.json").get("cases")) {
      Map<String, Object> copy = new LinkedHashMap<>();
      ((Map<?, ?>) row).forEach((key, value) -> copy.put((String) key, value));
      if (kind.equals(copy.get("kind"))) {
        rows.add(copy);
      }
    }
    return rows;
  }

  static int[] ids(Object list) {
    return ((List<?>) list).stream().mapToInt(id -> ((Long) id).intValue()).toArray();
  }

  static Tokenizer model(String name) throws IOException {
    return open(new TokenizerSource.ModelFile(path(name), bytes(name)));
  }

  static Tokenizer llama2() throws IOException {
    return model("tokenizer-llama2/tokenizer.model");
  }

  static Tokenizer llama2Json() throws IOException {
    String name = "tokenizer-llama2/tokenizer.json";
    return open(new TokenizerSource.HuggingFaceJson(path(name), json(name)));
  }

  static Tokenizer open(TokenizerSource source) {
    return new SentencePieceProvider().open(source, TokenizerOptions.defaults()).orElseThrow();
  }
}
