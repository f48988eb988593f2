package dev.llama.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.llama.GenerationOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GenerateCommandTest {
  private static final String STORY = "Once" + FakeSession.CONTINUATION + "\n";

  @Test
  void textIsThePromptAndItsContinuationAndNothingElse() {
    Cli run = Cli.fake("generate", "-m", "any", "Once");
    assertEquals(0, run.exitCode(), run.err());
    assertEquals(STORY, run.out());
  }

  @Test
  void usageGoesToStderrInOneLine() {
    Cli run = Cli.fake("generate", "-m", "any", "--seed", "7", "Once");
    assertEquals(
        "llama: prompt 5 tokens (10.0 tokens/s), generated 15 tokens (7.0 tokens/s) in 2.50 s,"
            + " finish: stop, seed 7, backend fake\n",
        run.err());
    String greedy = Cli.fake("generate", "-m", "any", "--greedy", "Once").err();
    assertTrue(greedy.endsWith("finish: stop, backend fake\n"), greedy);
  }

  @Test
  void promptComesFromAnyOfFourPlaces(@TempDir Path dir) throws IOException {
    Path file = Files.writeString(dir.resolve("prompt with spaces.txt"), "Once\n");
    assertEquals(STORY, Cli.fake("generate", "-m", "any", "-p", "Once").out());
    assertEquals(STORY, Cli.fake("generate", "-m", "any", "-f", file.toString()).out());
    assertEquals(STORY, Cli.fakeWithInput("Once\r\n", "generate", "-m", "any").out());
    assertEquals(STORY, Cli.fakeWithInput("Once", "generate", "-m", "any", "-f", "-").out());
  }

  @Test
  void modelsOwnDefaultsHoldUnlessOverridden() {
    Cli.fake("generate", "-m", "any", "--top-k", "7", "Once");
    GenerationOptions options = FakeSession.lastOptions;
    assertEquals(0.6f, options.temperature());
    assertEquals(0.9f, options.topP());
    assertEquals(7, options.topK());
  }

  @Test
  void everySamplingOptionArrives() {
    Cli run =
        Cli.fake(
            "generate -m any --temp 0.5 --top-k 3 --top-p 0.7 --min-p 0.1 --seed -4"
                .concat(" --repeat-penalty 1.2 --frequency-penalty -0.5 --presence-penalty 0.25")
                .concat(" --repeat-last-n -1 --logit-bias 5-1.5 --logit-bias 6=-inf")
                .concat(" --logit-bias 7+2 -n 9 --stop a --stop b --ignore-eos x")
                .split(" "));
    assertEquals(0, run.exitCode(), run.err());
    GenerationOptions options = FakeSession.lastOptions;
    assertEquals(0.5f, options.temperature());
    assertEquals(3, options.topK());
    assertEquals(0.7f, options.topP());
    assertEquals(0.1f, options.minP());
    assertEquals(OptionalLong.of(-4), options.seed());
    assertEquals(1.2f, options.repetitionPenalty());
    assertEquals(-0.5f, options.frequencyPenalty());
    assertEquals(0.25f, options.presencePenalty());
    assertEquals(-1, options.penaltyWindow());
    assertEquals(Map.of(5, -1.5f, 6, Float.NEGATIVE_INFINITY, 7, 2f), options.logitBias());
    assertEquals(9, options.maxNewTokens());
    assertEquals(List.of("a", "b"), options.stopStrings());
    assertTrue(options.ignoreModelStops());
  }

  @Test
  void everyModelOptionArrives() {
    Cli.fake("generate", "-m", "any", "--backend", "cpu:reference", "-t", "3", "-c", "50", "x");
    assertEquals("cpu:reference", FakeLoader.lastOptions.backend().orElseThrow());
    assertEquals(3, FakeLoader.lastOptions.threads());
    assertEquals(50, FakeLoader.lastModel.sessionOptions.contextSize());
  }

  @Test
  void greedyIsTemperatureZero() {
    Cli.fake("generate", "-m", "any", "--greedy", "x");
    assertEquals(0f, FakeSession.lastOptions.temperature());
  }

  @Test
  void lengthMinusOneIsUnlimited() {
    Cli.fake("generate", "-m", "any", "-n", "-1", "x");
    assertEquals(Integer.MAX_VALUE, FakeSession.lastOptions.maxNewTokens());
  }

  @Test
  void continuationAloneWithoutEcho() {
    Cli run = Cli.fake("generate", "-m", "any", "--no-echo", "Once");
    assertEquals(FakeSession.CONTINUATION + "\n", run.out());
  }

  @Test
  void characterCutOffAtTheLimitIsShownAsReplacement() {
    // The eleven characters before the é, and its first byte.
    Cli run = Cli.fake("generate", "-m", "any", "--no-echo", "-n", "12", "Once");
    assertEquals(" there was \ufffd\n", run.out());
  }

  @Test
  void jsonHoldsEverythingThatATextRunSays() {
    JsonObject json = Cli.fake("generate", "-m", "any", "--format", "json", "-n", "2", "Hi").json();
    assertEquals("[256,72,105]", json.get("prompt_ids").toString());
    assertEquals("[32,116]", json.get("ids").toString());
    assertEquals(" t", json.get("text").getAsString());
    assertEquals("length", json.get("finish_reason").getAsString());
    assertEquals(99, json.get("seed").getAsLong());
    JsonObject usage = json.getAsJsonObject("usage");
    assertEquals(3, usage.get("prompt_tokens").getAsInt());
    assertEquals(2, usage.get("generated_tokens").getAsInt());
    assertEquals(6.0, usage.get("prefill_tokens_per_second").getAsDouble());
    assertTrue(!json.has("logprobs"));
  }

  @Test
  void jsonHoldsLogProbabilitiesOnDemand() {
    JsonObject json =
        Cli.fake("generate", "-m", "any", "--format", "json", "--logprobs", "1", "-n", "1", "Hi")
            .json();
    assertEquals(1, FakeSession.lastOptions.logProbabilities());
    JsonObject step = json.getAsJsonArray("logprobs").get(0).getAsJsonObject();
    assertEquals(32, step.get("id").getAsInt());
    assertEquals(-0.5f, step.get("logprob").getAsFloat());
    assertEquals(1, step.getAsJsonArray("top").size());
  }

  @Test
  void chatWrapsThePromptAndEchoesNothing() {
    Cli run = Cli.fake("generate", "-m", "any", "--chat", "--system", "S", "Hi");
    assertEquals(FakeSession.CONTINUATION + "\n", run.out());
    JsonObject json =
        Cli.fake("generate -m any --chat --system S --format json Hi".split(" ")).json();
    assertEquals("[115,83,117,72,105,97]", json.get("prompt_ids").toString());
  }

  @Test
  void specialTokensInThePromptAreTextUnlessAskedFor() {
    String[] plain = {"generate", "-m", "any", "--format", "json", "-n", "0", "<s>A"};
    assertEquals("[256,60,115,62,65]", Cli.fake(plain).json().get("prompt_ids").toString());
    String[] special = {
      "generate", "-m", "any", "--special", "--format", "json", "-n", "0", "<s>A"
    };
    assertEquals("[256,65]", Cli.fake(special).json().get("prompt_ids").toString());
  }

  @ParameterizedTest
  @CsvSource({
    "--top-p 2,topP is 2.0",
    "--min-p -1,minP is -1.0",
    "--temp NaN,temperature is NaN",
    "--top-k x,'--top-k'",
    "--logit-bias 5,'29905-1'",
    "--logit-bias 5+inf,logitBias",
    "-n -2,maxNewTokens is -2",
    "-c -1,contextSize is -1",
    "-t -1,threads is -1",
    "--greedy --temp 1,exclude each other",
    "--system s,--system needs --chat",
    "--special --chat,exclude each other",
    "--logprobs 2,--logprobs needs --format json",
    "--format xml,xml",
    "-p y,mutually exclusive",
    "--nonsense,--nonsense"
  })
  void wrongOptionsAreUsageErrorsBeforeAnythingIsLoaded(String options, String message) {
    FakeLoader.lastOptions = null;
    Cli run = Cli.fake(("generate -m any x " + options).split(" "));
    assertEquals(2, run.exitCode(), run.err());
    assertEquals("", run.out());
    assertTrue(run.err().contains(message.replace("'", "")), run.err());
    assertTrue(run.err().contains("Try 'llama generate --help'."), run.err());
    assertEquals(null, FakeLoader.lastOptions);
  }

  @Test
  void chatNeedsAModelOfItsOwn() {
    Cli run = Cli.fake("generate", "--chat", "text");
    assertEquals(2, run.exitCode());
    assertTrue(run.err().contains("--chat needs --model"), run.err());
  }
}
