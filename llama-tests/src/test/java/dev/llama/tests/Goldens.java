package dev.llama.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.llama.GeneratedToken;
import dev.llama.Generation;
import dev.llama.GenerationOptions;
import dev.llama.Model;
import dev.llama.Session;
import dev.llama.SessionOptions;
import java.util.ArrayList;
import java.util.List;

/** Compares a model with the listed sequences: scores, the best token everywhere, continuations. */
final class Goldens {
  private Goldens() {}

  static void check(Model model, JsonObject expected, double tolerance, int prefillChunk) {
    for (JsonElement element : expected.getAsJsonArray("sequences")) {
      JsonObject sequence = element.getAsJsonObject();
      int[] ids = Fixtures.ints(sequence.getAsJsonArray("ids"));
      int[] greedy = Fixtures.ints(sequence.getAsJsonArray("greedy"));
      SessionOptions options =
          SessionOptions.defaults()
              .prefillChunk(prefillChunk)
              .contextSize(Math.min(model.config().longestContext(), ids.length + greedy.length));
      try (Session session = model.newSession(options)) {
        String where = sequence.get("name").getAsString() + ", chunks of " + prefillChunk;
        int[] best = new int[ids.length];
        session.append(ids, (position, logits) -> best[position] = argmax(logits));
        assertEquals(list(Fixtures.ints(sequence.getAsJsonArray("argmax"))), list(best), where);
        if (sequence.has("final_logits")) {
          assertClose(
              Fixtures.floats(sequence.getAsJsonArray("final_logits")),
              session.logits(),
              tolerance,
              where);
        }
        assertEquals(list(greedy), continuation(session, greedy.length), where);
      }
    }
  }

  static List<Integer> continuation(Session session, int count) {
    List<Integer> ids = new ArrayList<>();
    GenerationOptions options =
        GenerationOptions.greedy().maxNewTokens(count).ignoreModelStops(true);
    try (Generation generation = session.generate(new int[0], options)) {
      for (GeneratedToken token : generation) {
        ids.add(token.id());
      }
    }
    return ids;
  }

  static void assertClose(float[] expected, float[] actual, double tolerance, String where) {
    assertEquals(expected.length, actual.length, where);
    for (int i = 0; i < expected.length; i++) {
      double difference = Math.abs(expected[i] - actual[i]);
      int index = i;
      assertTrue(
          difference <= tolerance,
          () ->
              where
                  + ": element "
                  + index
                  + " is "
                  + actual[index]
                  + ", expected "
                  + expected[index]
                  + " within "
                  + tolerance);
    }
  }

  static int argmax(float[] logits) {
    int best = 0;
    for (int i = 1; i < logits.length; i++) {
      best = logits[i] > logits[best] ? i : best;
    }
    return best;
  }

  static List<Integer> list(int[] ids) {
    return java.util.Arrays.stream(ids).boxed().toList();
  }
}
