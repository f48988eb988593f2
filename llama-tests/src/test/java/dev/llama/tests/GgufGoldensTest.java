package dev.llama.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.llama.Model;
import dev.llama.ModelOptions;
import dev.llama.Session;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Models in GGUF files, dense and quantised, give the logits of the same weights dequantised: the
 * plain Java tier rounds no activations, so the bounds are those of 32-bit arithmetic.
 */
class GgufGoldensTest {

  @ParameterizedTest
  @ValueSource(strings = {"rows256-Q4_K_M.gguf", "rows256-Q6_K.gguf", "llama-bpe-F16.gguf"})
  void logitsAndContinuations(String file) {
    JsonObject all = Fixtures.json(Fixtures.path("gguf/expected.json"));
    JsonObject expected = all.getAsJsonObject("files").getAsJsonObject(file);
    double tolerance = all.getAsJsonObject("tolerance").get("logits_abs").getAsDouble();
    try (Model model =
        Model.load(
            Fixtures.path("gguf/" + file), ModelOptions.defaults().backend("cpu:reference"))) {
      Goldens.check(model, expected, tolerance, 512);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "stories260K-F32.gguf, cpu:reference",
    "stories260K-F32.gguf, cpu:native",
    "stories260K-F16.gguf, cpu:openblas",
    "stories260K-F16.gguf, cpu:native",
    "stories260K-Q8_0.gguf, cpu:reference",
    "stories260K-Q8_0.gguf, cpu:openblas",
    "stories260K-Q4_0.gguf, cpu:reference"
  })
  void storiesTokenForToken(String file, String backend) {
    JsonObject expected =
        Fixtures.json(Fixtures.path("stories260K/gguf/expected.json"))
            .getAsJsonObject("files")
            .getAsJsonObject(file);
    JsonObject prompts = Fixtures.json(Fixtures.path("stories260K/expected.json"));
    try (Model model =
        Model.load(
            Fixtures.path("stories260K/gguf/" + file), ModelOptions.defaults().backend(backend))) {
      int index = 0;
      for (JsonElement element : expected.getAsJsonArray("prompts")) {
        JsonObject story = element.getAsJsonObject();
        JsonObject prompt = prompts.getAsJsonArray("prompts").get(index++).getAsJsonObject();
        int[] ids = Fixtures.ints(prompt.getAsJsonArray("prompt_ids"));
        try (Session session = model.newSession()) {
          session.append(ids);
          float[] logits = session.logits();
          for (JsonElement pair : story.getAsJsonArray("first_step_top10")) {
            int id = pair.getAsJsonArray().get(0).getAsInt();
            assertEquals(pair.getAsJsonArray().get(1).getAsFloat(), logits[id], 3e-4f, file);
          }
          int[] continuation = Fixtures.ints(story.getAsJsonArray("continuation_ids"));
          assertEquals(
              Goldens.list(continuation), Goldens.continuation(session, continuation.length), file);
        }
        assertEquals(
            Goldens.list(ids).subList(1, ids.length),
            Goldens.list(model.tokenizer().encode(prompt.get("prompt").getAsString())),
            "the vocabulary inside the file");
      }
    }
  }
}
