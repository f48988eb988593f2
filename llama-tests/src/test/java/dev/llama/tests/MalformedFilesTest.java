package dev.llama.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.llama.FormatException;
import dev.llama.Model;
import dev.llama.ModelConfig;
import dev.llama.Tokenizer;
import dev.llama.core.files.GgufFile;
import dev.llama.core.files.SafetensorsFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Every broken file ends in an error that names the file and the fault; every control loads. */
class MalformedFilesTest {

  @TestFactory
  List<DynamicTest> files() {
    Path folder = Fixtures.path("malformed");
    List<DynamicTest> tests = new ArrayList<>();
    JsonObject index = Fixtures.json(folder.resolve("index.json"));
    for (JsonElement element : index.getAsJsonArray("cases")) {
      JsonObject file = element.getAsJsonObject();
      String path = file.get("path").getAsString();
      String kind = file.get("kind").getAsString();
      String expect = file.get("expect").getAsString();
      tests.add(
          DynamicTest.dynamicTest(
              path + ": " + file.get("what").getAsString(),
              () -> check(folder.resolve(path), kind, expect)));
    }
    return tests;
  }

  private static void check(Path file, String kind, String expect) {
    switch (expect) {
      case "accept" -> open(file, kind);
      case "reject" -> {
        FormatException e = assertThrows(FormatException.class, () -> open(file, kind));
        assertTrue(
            e.getMessage().contains(file.getFileName().toString()),
            () -> "the message names the file: " + e.getMessage());
        assertTrue(
            e.getMessage().lines().count() < 60 && e.getMessage().length() < 8000,
            () -> "the message can be read: " + e.getMessage());
      }
      default -> {
        assertEquals("either", expect);
        try {
          open(file, kind);
        } catch (FormatException e) {
          assertTrue(e.getMessage().contains(file.getFileName().toString()), e.getMessage());
        }
      }
    }
  }

  private static void open(Path file, String kind) {
    switch (kind) {
      case "safetensors" -> SafetensorsFile.open(file).close();
      case "gguf" -> {
        try (GgufFile gguf = GgufFile.open(file)) {
          if (!file.getFileName().toString().startsWith("valid-")) {
            gguf.config(); // the controls are containers without a model
          }
        }
      }
      case "config" -> ModelConfig.read(file);
      case "tokenizer-tiktoken", "tokenizer-sentencepiece" -> Tokenizer.load(file);
      case "folder" -> Model.load(file).close();
      default -> throw new IllegalArgumentException(kind);
    }
  }
}
