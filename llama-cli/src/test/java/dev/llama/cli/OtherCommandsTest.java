package dev.llama.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OtherCommandsTest {
  @Test
  void tokenizePrintsIdsOnOneLine() {
    assertEquals("72 195 169\n", Cli.fake("tokenize", "-m", "any", "Hé").out());
    assertEquals("256 72\n", Cli.fake("tokenize", "-m", "any", "--bos", "H").out());
  }

  @Test
  void tokenizeTakesTextAsItIs() {
    assertEquals("72 10\n", Cli.fakeWithInput("H\n", "tokenize", "-m", "any").out());
  }

  @Test
  void piecesStandBesideIdsOneALine() {
    Cli run = Cli.fake("tokenize", "-m", "any", "--pieces", "--special", "<s>\nA");
    assertEquals("  256  <s>\n   10  \\u000a\n   65  A\n", run.out());
    JsonObject json =
        Cli.fake("tokenize", "-m", "any", "--pieces", "--format", "json", "Hi").json();
    assertEquals(2, json.get("count").getAsInt());
    assertEquals("[72,105]", json.get("ids").toString());
    assertEquals("[\"H\",\"i\"]", json.get("pieces").toString());
  }

  @Test
  void decodeIsTheOtherWay() {
    assertEquals("Hé\n", Cli.fake("tokenize -m any --decode 72 195 169".split(" ")).out());
    assertEquals("Hi\n", Cli.fakeWithInput("[72, 105]", "tokenize", "-m", "any", "--decode").out());
    Cli bad = Cli.fake("tokenize", "-m", "any", "--decode", "72", "x");
    assertEquals(1, bad.exitCode());
    assertTrue(bad.err().contains("'x' at place 2 is not a token id"), bad.err());
    Cli unknown = Cli.fake("tokenize", "-m", "any", "--decode", "300");
    assertEquals("llama: token id is 300, expected 0 to 257\n", unknown.err());
  }

  @Test
  void inspectExplainsFieldsAndCollapsesEqualBlocks() {
    String out = Cli.fake("inspect", "any").out();
    assertTrue(out.contains("2 query heads share a key head"), out);
    assertTrue(out.contains("novel_field"), out);
    assertTrue(out.contains("5 x  model.layers.0-4.mlp"), out);
    assertTrue(out.contains(Units.grouped(FakeModel.configuration().parameterCount())), out);
  }

  @Test
  void inspectAsJsonAddsUp() {
    JsonObject json = Cli.fake("inspect", "-m", "any", "--format", "json").json();
    long sum = 0;
    for (var layer : json.getAsJsonArray("layers")) {
      sum += layer.getAsJsonObject().get("parameters").getAsLong();
    }
    assertEquals(FakeModel.configuration().parameterCount(), sum);
    assertEquals(sum, json.get("parameters").getAsLong());
    assertEquals(4 * sum, json.getAsJsonObject("weight_bytes").get("F32").getAsLong());
    assertFalse(json.has("stored_bytes"));
  }

  @Test
  void inspectTellsTheSizeOfWeightFiles(@TempDir Path dir) throws IOException {
    Files.write(dir.resolve("model-00001-of-00002.safetensors"), new byte[100]);
    Files.write(dir.resolve("model-00002-of-00002.safetensors"), new byte[23]);
    Files.write(dir.resolve("consolidated.safetensors"), new byte[123]); // the same once more
    JsonObject json = Cli.fake("inspect", dir.toString(), "--format", "json").json();
    assertEquals(123, json.get("stored_bytes").getAsLong());
  }

  @Test
  void benchMeasuresEachTestAsOftenAsAsked(@TempDir Path dir) throws IOException {
    Files.write(dir.resolve("model.safetensors"), new byte[100]);
    JsonObject json =
        Cli.fake(
                "bench",
                "-m",
                dir.toString(),
                "-p",
                "8,16",
                "-n",
                "4",
                "-r",
                "2",
                "--format",
                "json")
            .json();
    assertFalse(json.get("random_weights").getAsBoolean());
    assertEquals(100, json.get("weight_bytes").getAsLong());
    double load = json.get("load_seconds").getAsDouble();
    assertTrue(load > 0 && json.get("first_token_seconds").getAsDouble() > load, json.toString());
    List<String> names =
        json.getAsJsonArray("tests").asList().stream()
            .map(test -> test.getAsJsonObject().get("test").getAsString())
            .toList();
    assertEquals(List.of("pp8", "pp16", "tg4"), names);
    JsonObject first = json.getAsJsonArray("tests").get(0).getAsJsonObject();
    assertEquals(2, first.getAsJsonArray("samples").size());
    assertTrue(first.get("mean_tokens_per_second").getAsDouble() > 0);
  }

  @Test
  void benchWithoutWeightsSaysThatTheyAreRandom(@TempDir Path dir) throws IOException {
    Path config = Files.writeString(dir.resolve("config.json"), "{}");
    Cli run = Cli.fake("bench", "-m", config.toString(), "-p", "4", "-n", "0", "-r", "1");
    assertTrue(FakeLoader.lastWasCreated);
    assertTrue(run.out().contains("random weights"), run.out());
    assertTrue(run.out().contains("pp4"), run.out());
    assertTrue(run.out().contains("first token: after "), run.out());
    assertFalse(run.out().contains("tg"), run.out());
  }

  @Test
  void benchDecodesAtEachDepthAndCountsWhatATokenReads(@TempDir Path dir) throws IOException {
    Files.write(dir.resolve("model.safetensors"), new byte[100]);
    String[] arguments = ("bench -p 0 -n 2 -d 0,3 -r 1 --format json -m " + dir).split(" ");
    JsonArray tests = Cli.fake(arguments).json().getAsJsonArray("tests");
    JsonObject shallow = tests.get(0).getAsJsonObject();
    JsonObject deep = tests.get(1).getAsJsonObject();
    assertEquals("tg2", shallow.get("test").getAsString());
    assertEquals("tg2@d3", deep.get("test").getAsString());
    assertEquals(3, deep.get("depth").getAsInt());
    long weights = shallow.get("bytes_per_token").getAsLong();
    assertTrue(deep.get("bytes_per_token").getAsLong() > weights);
    assertFalse(deep.has("ops"));
    Cli tooDeep = Cli.fake("bench", "-p", "0", "-n", "2", "-d", "-1", "-m", "any");
    assertTrue(tooDeep.err().contains("'--depth': expected 0 or more, but was -1"), tooDeep.err());
  }

  @Test
  void promptLongerThanTheContextIsOneLine() {
    Cli run = Cli.fake("bench", "-m", "any", "-p", "100");
    assertEquals(1, run.exitCode());
    assertTrue(run.err().startsWith("llama: context overflow: 100 positions"), run.err());
  }

  @Test
  void evalScoresEveryTokenButTheFirst(@TempDir Path dir) throws IOException {
    Path text = Files.writeString(dir.resolve("text"), "abcdefgh");
    JsonObject json =
        Cli.fake("eval", "-m", "any", "-f", text.toString(), "--format", "json").json();
    assertEquals(9, json.get("tokens").getAsInt()); // with the beginning of text
    assertEquals(8, json.get("scored").getAsInt());
    double sum = Math.log(257 + Math.exp(2));
    assertEquals((sum + 7 * (sum - 2)) / 8, json.get("nll").getAsDouble(), 1e-6);
  }

  @Test
  void evalReadsTokenIds(@TempDir Path dir) throws IOException {
    Path list = Files.writeString(dir.resolve("ids.txt"), "256 97\n98 99");
    Path json = Files.writeString(dir.resolve("ids.json"), "[256, 97,\n98,99 ]");
    Cli run = Cli.fake("eval", "-m", "any", "--tokens", list.toString(), "--format", "json");
    assertEquals(3, run.json().get("scored").getAsInt());
    assertEquals(
        run.json().get("nll"),
        Cli.fake("eval", "-m", "any", "--tokens", json.toString(), "--format", "json")
            .json()
            .get("nll"));
    Path one = Files.writeString(dir.resolve("one"), "256");
    Cli short1 = Cli.fake("eval", "-m", "any", "--tokens", one.toString());
    assertEquals("llama: " + one + ": 1 token, expected 2 or more to score\n", short1.err());
  }

  @Test
  void backendsAreListedBestFirstWithTheirReasons() {
    Cli run = Cli.fake("backends");
    assertTrue(run.out().contains("add the jar for speed"), run.out());
    assertTrue(run.out().contains("chosen: fast"), run.out());
    JsonObject json = Cli.fake("backends", "--format", "json").json();
    assertEquals("fast", json.get("chosen").getAsString());
    assertEquals(3, json.getAsJsonArray("backends").size());
    JsonObject last = json.getAsJsonArray("backends").get(2).getAsJsonObject();
    assertEquals("absent", last.get("name").getAsString());
    assertEquals("no driver", last.get("reason").getAsString());
    assertTrue(json.getAsJsonArray("broken").get(0).getAsString().contains("NoSuchBackend"));
  }
}
