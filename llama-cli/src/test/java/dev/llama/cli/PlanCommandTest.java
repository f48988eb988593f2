package dev.llama.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.llama.ModelConfig;
import dev.llama.core.catalogue.LayerSpec;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PlanCommandTest {
  private static Cli plan(String options) {
    List<String> args = new ArrayList<>(List.of("plan"));
    args.addAll(List.of(options.split(" ")));
    return Cli.real(args.toArray(String[]::new));
  }

  @Test
  void everyTermAndTheSumAreShown() {
    Cli run = plan("llama-3.2-1b --context 1024 --weights Q4_0");
    assertEquals(0, run.exitCode(), run.err());
    assertTrue(run.out().contains("16 x 2,048 x 8,192 / 32 x 18 bytes (Q4_0)"), run.out());
    String cache =
        "1 session x 1,024 positions x 16 blocks x 2 \\(key, value\\) x 8 heads x 64 x 4 bytes"
            + " \\(F32\\) +67,108,864";
    assertTrue(Pattern.compile(cache).matcher(run.out()).find(), run.out());
    assertTrue(run.out().contains("kv cache     = 64.00 MiB"), run.out());
  }

  @Test
  void jsonSaysTheSame() {
    Cli run = plan("llama-3.1-8b --context 2048 --memory 80GB --format json");
    JsonObject json = run.json();
    assertTrue(json.get("fits").getAsBoolean());
    assertEquals(80_000_000_000L, json.get("device_memory_bytes").getAsLong());
    JsonObject stage = json.getAsJsonArray("stages").get(0).getAsJsonObject();
    long sum = 0;
    for (var term : stage.getAsJsonArray("terms")) {
      sum += term.getAsJsonObject().get("bytes").getAsLong();
    }
    assertEquals(sum, stage.get("bytes").getAsLong());
    assertEquals(sum, json.get("largest_device_bytes").getAsLong());
    assertEquals("BF16", json.getAsJsonObject("workload").get("weights").getAsString());
    assertEquals("[\"tensor\",\"context\"]", parallelism(json, 2));
    assertEquals("[]", parallelism(json, 1));
    assertTrue(
        plan("llama-3.1-8b --context 2048 --memory 80GB").out().contains(Units.grouped(sum)));
  }

  private static String parallelism(JsonObject json, int kind) {
    return json.getAsJsonArray("layers").get(kind).getAsJsonObject().get("parallelism").toString();
  }

  @Test
  void whatDoesNotFitEndsWithOne() {
    Cli run = plan("llama-3.1-70b --devices 1 --memory 80GB --context 1024");
    assertEquals(1, run.exitCode());
    assertTrue(run.out().contains("it does not fit"), run.out());
    assertEquals("", run.err());
  }

  @Test
  void speedNeedsBothRates() {
    Cli run = plan("llama-3.2-1b -c 1024 --flops 989T --bandwidth 3.35TB/s --format json");
    var estimates = run.json().getAsJsonArray("estimates");
    assertEquals("prefill", estimates.get(0).getAsJsonObject().get("phase").getAsString());
    assertTrue(estimates.get(1).getAsJsonObject().get("tokens_per_second").getAsDouble() > 100);
    assertEquals(2, plan("llama-3.2-1b --flops 989T").exitCode());
  }

  @Test
  void trainingHasGradientsAndMoments() {
    JsonObject stage =
        plan("llama-3.2-1b --train -c 128 --format json")
            .json()
            .getAsJsonArray("stages")
            .get(0)
            .getAsJsonObject();
    long weights = stage.get("weights_bytes").getAsLong();
    assertEquals(4 * 1235814400L, weights);
    assertEquals(weights, stage.get("gradients_bytes").getAsLong());
    assertEquals(2 * weights, stage.get("optimizer_bytes").getAsLong());
    assertEquals(0, stage.get("kv_cache_bytes").getAsLong());
  }

  @Test
  void layerSpecsCanBePlannedForAnyContext(@TempDir Path folder) {
    Path file = folder.resolve("a_b.json");
    LayerSpec.of(ModelConfig.preset("llama-3.2-1b"), "a/b", "b").write(file);
    JsonObject json = plan(file + " --context 131072 --weights F32 --format json").json();
    JsonObject stage = json.getAsJsonArray("stages").get(0).getAsJsonObject();
    assertEquals(4 * 1235814400L, stage.get("weights_bytes").getAsLong());
    assertEquals(8L << 30, stage.get("kv_cache_bytes").getAsLong());
  }

  @Test
  void brokenLayerSpecsAreNamed(@TempDir Path folder) throws Exception {
    Path file = Files.writeString(folder.resolve("a_b.json"), "{\"hf_model_id\": \"a/b\"}");
    Cli run = plan(file.toString());
    assertEquals(1, run.exitCode());
    assertTrue(run.err().startsWith("llama: " + file), run.err());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "--memory 80XB | 2 | '--memory': '80XB', expected a size such as 80GB or 80GiB",
        "--memory 0 | 2 | expected a size",
        "--memory 1e30GB | 2 | expected a size",
        "--memory -1GB | 2 | expected a size",
        "--tensor 3 | 1 | the tensor degree 3 does not divide the 32 attention heads",
        "--tensor 0 | 2 | '--tensor': 0 is no number above 0",
        "--pipeline 17 | 1 | exceeds the 16 blocks",
        "--devices 2 --tensor 4 | 1 | need 4 devices",
        "--devices 0 | 2 | expected 1 to 1024",
        "--sequence --tensor 1 | 2 | nobody to share with",
        "--weights I32 | 2 | weightType is I32",
        "--weights Q9_9 | 2 | Q9_9",
        "--kv Q8_0 | 2 | kvType is Q8_0",
        "--train --kv F16 | 2 | --kv does not go with --train",
        "--train --prefill-chunk 8 | 2 | --prefill-chunk does not go with --train",
        "--train --weights Q4_0 | 2 | training needs F32",
        "--batch 0 | 2 | batchSize is 0",
        "--context 131073 | 1 | the model has at most 131072",
        "--flops 9 --bandwidth fast | 2 | '--bandwidth': 'fast'",
      })
  void wrongOptionsAreNamed(String options, int exitCode, String reason) {
    Cli run = plan("llama-3.2-1b " + options);
    assertEquals(exitCode, run.exitCode(), run.err());
    assertTrue(run.err().contains(reason), run.err());
  }

  @ParameterizedTest
  @CsvSource({
    "1, 1",
    "80GB, 80000000000",
    "80GiB, 85899345920",
    "80 GB, 80000000000",
    "1.5K, 1500",
    "1e3MB, 1000000000",
    "24Gi, 25769803776",
  })
  void sizes(String text, long bytes) {
    assertEquals(bytes, Quantity.bytes(text).orElseThrow());
  }

  @ParameterizedTest
  @CsvSource({"989T, 9.89e14", "3.35TB/s, 3.35e12", "9.89e14, 9.89e14", "900GB, 9e11", "5, 5"})
  void rates(String text, double rate) {
    assertEquals(rate, Quantity.rate(text, "B").orElseThrow(), rate * 1e-15);
  }
}
