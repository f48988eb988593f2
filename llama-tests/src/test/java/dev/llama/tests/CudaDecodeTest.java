package dev.llama.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.llama.GenerationOptions;
import dev.llama.Model;
import dev.llama.ModelOptions;
import dev.llama.Session;
import dev.llama.cuda.Emulator;
import dev.llama.cuda.Emulator.Setting;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What crosses between the host and the GPU for each token. */
class CudaDecodeTest {
  private static final int TOKENS = 12;

  /** One graph and four bytes for each token behind the first; everything is given back. */
  @Test
  void aTokenIsOneGraphAndFourBytes() {
    JsonObject story =
        Fixtures.json(Fixtures.path("stories260K/expected.json"))
            .getAsJsonArray("prompts")
            .get(0)
            .getAsJsonObject();
    int[] prompt = Fixtures.ints(story.getAsJsonArray("prompt_ids"));
    List<Integer> expected =
        Goldens.list(Fixtures.ints(story.getAsJsonArray("continuation_ids"))).subList(0, TOKENS);
    Emulator.require();
    long objects = Emulator.get(Setting.OBJECTS);
    long allocations = Emulator.get(Setting.ALLOCATIONS);
    try (Model model =
            Model.load(
                Fixtures.path("stories260K"), ModelOptions.defaults().backend(Fixtures.CUDA));
        Session session = model.newSession();
        Session other = session.fork()) {
      assertTrue(model.backend().description().startsWith("cuda:0"));
      session.append(prompt);
      // Both graphs are made: that which ends in the logits, and that which ends in the best.
      assertEquals(expected.subList(0, 2), Goldens.continuation(session, 2));
      assertEquals(expected.subList(2, 4), Goldens.continuation(session, 2));
      long graphs = Emulator.get(Setting.GRAPH_LAUNCHES);
      long launches = Emulator.get(Setting.LAUNCHES);
      long bytes = Emulator.get(Setting.COPIED_TO_HOST);
      var generation =
          session.generate(
              new int[0],
              GenerationOptions.greedy().maxNewTokens(TOKENS - 4).ignoreModelStops(true));
      generation.forEach(token -> {});
      assertEquals(
          expected, Goldens.list(session.tokens()).subList(prompt.length, prompt.length + TOKENS));
      assertEquals(TOKENS - 4, Emulator.get(Setting.GRAPH_LAUNCHES) - graphs);
      long logits = 4L * model.config().vocabSize();
      assertEquals(logits + 4 * (TOKENS - 5), Emulator.get(Setting.COPIED_TO_HOST) - bytes);
      assertEquals(launches, Emulator.get(Setting.LAUNCHES), "nothing but graphs");

      // A second session takes turns, on the same graph.
      other.append(prompt);
      assertEquals(expected.subList(0, 3), Goldens.continuation(other, 3));
      assertEquals(session.logits().length, model.config().vocabSize());
    }
    assertEquals(objects, Emulator.get(Setting.OBJECTS));
    assertEquals(allocations, Emulator.get(Setting.ALLOCATIONS));
  }

  /** Drawn tokens cost no more, and are those that the host draws from the same logits. */
  @Test
  void aDrawnTokenIsOneGraphAndFourBytes() {
    GenerationOptions options =
        GenerationOptions.defaults().seed(3).maxNewTokens(TOKENS).ignoreModelStops(true);
    Emulator.require();
    try (Model model =
            Model.load(
                Fixtures.path("stories260K"), ModelOptions.defaults().backend(Fixtures.CUDA));
        Session session = model.newSession();
        Session other = model.newSession()) {
      other.generate("Once", options.logProbabilities(0)).complete(); // the host draws
      session.generate("Once", options.maxNewTokens(2)).complete(); // the graph is made
      session.rewind(0);
      long graphs = Emulator.get(Setting.GRAPH_LAUNCHES);
      long bytes = Emulator.get(Setting.COPIED_TO_HOST);
      session.generate("Once", options).complete();
      assertArrayEquals(other.tokens(), session.tokens());
      assertEquals(TOKENS - 1, Emulator.get(Setting.GRAPH_LAUNCHES) - graphs);
      long logits = 4L * model.config().vocabSize();
      assertEquals(logits + 4 * (TOKENS - 1), Emulator.get(Setting.COPIED_TO_HOST) - bytes);
    }
  }
}
