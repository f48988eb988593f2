package dev.llama.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The commands on real models: everything but the process around them. */
class EndToEndTest {
  private static Path fixtures;
  private static String stories;
  private static JsonObject expected;

  @BeforeAll
  static void readExpectations() throws IOException {
    fixtures = Path.of(System.getProperty("llama.fixtures", "missing"));
    assumeTrue(Files.isDirectory(fixtures), "no reference data at " + fixtures);
    Path folder = fixtures.resolve("stories260K");
    stories = folder.toString();
    expected =
        JsonParser.parseString(Files.readString(folder.resolve("expected.json"))).getAsJsonObject();
  }

  @Test
  void greedyTextIsThatOfTheReference() {
    for (JsonElement element : expected.getAsJsonArray("prompts")) {
      JsonObject golden = element.getAsJsonObject();
      Cli run = Cli.real(greedy(golden));
      assertEquals(0, run.exitCode(), run.err());
      assertEquals(golden.get("text").getAsString() + "\n", run.out());
    }
  }

  @Test
  void greedyIdsAreThoseOfTheReference() {
    JsonObject golden = expected.getAsJsonArray("prompts").get(0).getAsJsonObject();
    JsonObject report = Cli.real(greedy(golden, "--format", "json")).json();
    assertEquals(golden.get("prompt_ids"), report.get("prompt_ids"));
    assertEquals(golden.get("continuation_ids"), report.get("ids"));
  }

  private static String[] greedy(JsonObject golden, String... more) {
    int length = golden.getAsJsonArray("continuation_ids").size();
    String prompt = golden.get("prompt").getAsString();
    List<String> args =
        new ArrayList<>(
            List.of("generate", "-m", stories, "--greedy", "-n", "" + length, "-p", prompt));
    args.addAll(List.of(more));
    return args.toArray(new String[0]);
  }

  @Test
  void sameSeedSameText() {
    String[] args = {"generate", "-m", stories, "--seed", "5", "-n", "30", "Once upon a time"};
    assertEquals(Cli.real(args).out(), Cli.real(args).out());
  }

  @Test
  void perplexityIsThatOfTheReference(@TempDir Path dir) throws IOException {
    JsonObject golden = expected.getAsJsonObject("perplexity_text");
    Path ids = Files.writeString(dir.resolve("ids.json"), golden.get("ids").toString());
    JsonObject report =
        Cli.real("eval", "-m", stories, "--tokens", ids.toString(), "--format", "json").json();
    assertEquals(199, report.get("scored").getAsInt());
    assertEquals(golden.get("mean_nll").getAsDouble(), report.get("nll").getAsDouble(), 1e-5);
  }

  @Test
  void windowsShorterThanTheTextPredictNearlyAsWell(@TempDir Path dir) throws IOException {
    JsonObject golden = expected.getAsJsonObject("perplexity_text");
    Path text = Files.writeString(dir.resolve("text"), golden.get("text").getAsString());
    JsonObject report =
        Cli.real("eval", "-m", stories, "-f", text.toString(), "-c", "64", "--format", "json")
            .json();
    assertTrue(report.get("windows").getAsInt() > 1, report::toString);
    assertEquals(golden.get("mean_nll").getAsDouble(), report.get("nll").getAsDouble(), 0.2);
  }

  @Test
  void decodeUndoesTokenize() {
    String text = "Tränen, 涙 and <s>";
    String ids = Cli.real("tokenize", "-m", stories, text).out().trim();
    List<String> args = new ArrayList<>(List.of("tokenize", "-m", stories, "--decode"));
    args.addAll(List.of(ids.split(" ")));
    assertEquals(text + "\n", Cli.real(args.toArray(new String[0])).out());
  }

  @Test
  void chatNeedsALayoutThatTheVocabularyHas() {
    Cli run = Cli.real("generate", "-m", stories, "--chat", "Hi");
    assertEquals(1, run.exitCode());
    assertTrue(run.err().startsWith("llama: this vocabulary has no chat layout"), run.err());
    assertEquals(1, run.err().lines().count());
  }

  @Test
  void inspectCountsParametersAsPublished() throws IOException {
    Path published = fixtures.resolve("configs").resolve("published");
    JsonObject golden =
        JsonParser.parseString(Files.readString(published.resolve("expected.json")))
            .getAsJsonObject()
            .getAsJsonObject("models");
    for (String model : golden.keySet()) {
      Path folder = published.resolve(model);
      if (Files.isDirectory(folder)) {
        JsonObject json = Cli.real("inspect", folder.toString(), "--format", "json").json();
        assertEquals(
            golden.getAsJsonObject(model).getAsJsonObject("parameters").get("total").getAsLong(),
            json.get("parameters").getAsLong(),
            model);
        assertFalse(json.has("stored_bytes"));
      }
    }
  }

  @Test
  void benchRunsWithoutWeights(@TempDir Path dir) throws IOException {
    Path config =
        Files.copy(fixtures.resolve("models/tied/config.json"), dir.resolve("config.json"));
    JsonObject json =
        Cli.real("bench -p 8 -n 4 -r 2 --format json -m".concat(" " + config).split(" ")).json();
    assertTrue(json.get("random_weights").getAsBoolean());
    assertEquals(2, json.getAsJsonArray("tests").size());
  }

  @Test
  void benchTellsHowLongEachOperationTakes() {
    Path model = fixtures.resolve("models/tied");
    String line = "bench -t 1 -p 0 -n 4 -r 2 --profile --kv-type F16 -m " + model;
    JsonObject json = Cli.real((line + " --format json").split(" ")).json();
    JsonObject test = json.getAsJsonArray("tests").get(0).getAsJsonObject();
    Map<String, Double> shares = new HashMap<>();
    for (JsonElement op : test.getAsJsonArray("ops")) {
      shares.put(
          op.getAsJsonObject().get("op").getAsString(),
          op.getAsJsonObject().get("share_of_wall").getAsDouble());
    }
    assertTrue(shares.keySet().containsAll(List.of("qkv", "attention", "gateUp")), "" + shares);
    assertTrue(shares.containsKey("matmul down_proj"), "" + shares);
    double sum = shares.values().stream().mapToDouble(share -> share).sum();
    assertTrue(sum > 0.1 && sum <= 1, "" + shares);
    assertTrue(json.get("read_bandwidth").getAsDouble() > 1e8);
    assertTrue(test.get("share_of_bandwidth_limit").getAsDouble() > 0);
    String text = Cli.real(line.split(" ")).out();
    assertTrue(text.contains("GB/s read, measured"), text);
    assertTrue(text.contains("% of wall"), text);
  }

  @ParameterizedTest
  @ValueSource(strings = {"config", "folder", "gguf"})
  void everyBrokenModelIsOneLineAndExitCodeOne(String kind) throws IOException {
    JsonElement index =
        JsonParser.parseString(Files.readString(fixtures.resolve("malformed/index.json")));
    JsonArray entries = index.getAsJsonObject().getAsJsonArray("cases");
    int seen = 0;
    for (JsonElement element : entries) {
      JsonObject entry = element.getAsJsonObject();
      String path = entry.get("path").getAsString();
      if (!entry.get("kind").getAsString().equals(kind)
          || !entry.get("expect").getAsString().equals("reject")) {
        continue;
      }
      Path file = fixtures.resolve("malformed").resolve(path);
      Cli run =
          kind.equals("config")
              ? Cli.real("inspect", file.toString())
              : Cli.real("generate", "-m", file.toString(), "-n", "1", "Hi");
      assertEquals(1, run.exitCode(), path);
      assertEquals(1, run.err().lines().count(), path + ": " + run.err());
      assertTrue(run.err().startsWith("llama: "), run.err());
      assertFalse(run.err().contains("internal error"), path + ": " + run.err());
      seen++;
    }
    assertTrue(seen > 0, "no broken files of this kind");
  }
}
