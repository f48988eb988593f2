package dev.llama.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.llama.GeneratedToken;
import dev.llama.Generation;
import dev.llama.GenerationOptions;
import dev.llama.Model;
import dev.llama.ModelOptions;
import dev.llama.Session;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A real trained model with its real tokenizer tells its stories, token for token. */
class StoriesTest {

  @ParameterizedTest
  @ValueSource(strings = {"cpu:reference", "cpu:openblas", "cpu:native"})
  void storiesTokenForToken(String backend) {
    JsonObject expected = Fixtures.json(Fixtures.path("stories260K/expected.json"));
    int positions = expected.get("total_positions").getAsInt();
    try (Model model =
        Model.load(Fixtures.path("stories260K"), ModelOptions.defaults().backend(backend))) {
      for (JsonElement element : expected.getAsJsonArray("prompts")) {
        JsonObject story = element.getAsJsonObject();
        String prompt = story.get("prompt").getAsString();
        int[] promptIds = Fixtures.ints(story.getAsJsonArray("prompt_ids"));
        GenerationOptions options =
            GenerationOptions.greedy().maxNewTokens(positions - promptIds.length);
        try (Session session = model.newSession();
            Generation generation = session.generate(prompt, options)) {
          List<Integer> ids = new ArrayList<>();
          for (GeneratedToken token : generation) {
            ids.add(token.id());
          }
          assertEquals(
              Goldens.list(promptIds),
              Goldens.list(session.tokens()).subList(0, promptIds.length),
              prompt);
          assertEquals(
              Goldens.list(Fixtures.ints(story.getAsJsonArray("continuation_ids"))), ids, prompt);
          assertEquals(story.get("text").getAsString(), prompt + generation.text(), prompt);
        }
        checkFirstStep(model, story, promptIds);
      }
      assertEquals(
          expected.getAsJsonObject("perplexity_text").get("mean_nll").getAsDouble(),
          meanNll(model, expected.getAsJsonObject("perplexity_text").getAsJsonArray("ids")),
          1e-4);
    }
  }

  private static void checkFirstStep(Model model, JsonObject story, int[] promptIds) {
    try (Session session = model.newSession()) {
      session.append(promptIds);
      float[] logits = session.logits();
      for (JsonElement pair : story.getAsJsonArray("first_step_top10")) {
        int id = pair.getAsJsonArray().get(0).getAsInt();
        assertEquals(pair.getAsJsonArray().get(1).getAsFloat(), logits[id], 2e-4f, "id " + id);
      }
    }
  }

  static double meanNll(Model model, JsonArray array) {
    int[] ids = Fixtures.ints(array);
    double[] sum = new double[1];
    try (Session session = model.newSession()) {
      session.append(
          ids,
          (position, logits) -> {
            if (position + 1 < ids.length) {
              double total = 0;
              for (float logit : logits) {
                total += Math.exp(logit);
              }
              sum[0] += Math.log(total) - logits[ids[position + 1]];
            }
          });
    }
    return sum[0] / (ids.length - 1);
  }
}
