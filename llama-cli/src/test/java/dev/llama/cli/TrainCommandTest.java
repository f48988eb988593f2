package dev.llama.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** From files to a model that generates, and what is said when something is wrong. */
class TrainCommandTest {
  @TempDir private Path folder;
  private String run;

  @BeforeEach
  void writeFiles() throws IOException {
    run = folder.resolve("run").toString();
    Files.writeString(
        folder.resolve("config.json"),
        """
        {"model_type": "llama", "hidden_size": 16, "intermediate_size": 32, "vocab_size": 300,
         "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 64,
         "bos_token_id": 1, "eos_token_id": 2}
        """);
    Files.writeString(
        folder.resolve("data.txt"),
        "the cat sat on the mat\n\nthe dog sat on the log\n\n".repeat(20));
    Files.writeString(
        folder.resolve("train.json"),
        """
        {"config": "config.json", "tokenizer": "tokens", "data": ["data.txt"],
         "validation_data": "data.txt", "steps": 6, "batch": 2, "length": 16, "backend": "cpu",
         "evaluate_every": 3, "checkpoint_every": 2, "learning_rate": 0.01, "threads": 2}
        """);
    Cli tokens =
        Cli.real("train-tokenizer", "--bytes-only", "--out", folder.resolve("tokens").toString());
    assertEquals(0, tokens.exitCode(), tokens.err());
  }

  private Cli train(String... options) {
    String[] arguments =
        Stream.concat(Stream.of("train", "-o", run), Stream.of(options)).toArray(String[]::new);
    return Cli.real(arguments);
  }

  private String runFile() {
    return folder.resolve("train.json").toString();
  }

  private List<JsonObject> metrics() throws IOException {
    return Files.readAllLines(Path.of(run, "metrics.jsonl")).stream()
        .map(line -> JsonParser.parseString(line).getAsJsonObject())
        .collect(Collectors.toList());
  }

  private static void assertFails(int exitCode, String message, Cli result) {
    assertEquals(exitCode, result.exitCode(), result.err());
    assertTrue(result.err().contains(message), result.err());
  }

  @Test
  void aRunFileMakesAModelThatGenerates() throws IOException {
    Cli result = train(runFile(), "--format=json", "--save-type", "bf16");
    assertEquals(0, result.exitCode(), result.err());
    assertTrue(result.err().contains("vocab_size is 256 instead of 300"), result.err());
    assertTrue(result.err().contains("step 6: loss "), result.err());
    JsonObject report = result.json();
    assertEquals(6, report.get("step").getAsLong());
    assertEquals(6 * 2 * 16, report.get("tokens").getAsLong());
    assertTrue(report.get("validation_loss").getAsDouble() > 0);
    String model = report.get("model").getAsString();
    Cli text = Cli.real("generate", "-m", model, "-n", "3", "--greedy", "the cat");
    assertEquals(0, text.exitCode(), text.err());
    assertTrue(Files.readString(Path.of(model, "config.json")).contains("bfloat16"));
    assertTrue(Files.readString(Path.of(report.get("curve").getAsString())).contains("<polyline"));
    assertEquals(8, metrics().size(), "six steps, two evaluations");
  }

  @Test
  void optionsCountBeforeTheRunFileAndAResumeRemembersThem() throws IOException {
    Cli result = train(runFile(), "--steps=4", "--length", "8");
    assertEquals(0, result.exitCode(), result.err());
    assertEquals(4 + 2, metrics().size());
    assertEquals(2 * 8, metrics().get(0).get("tokens").getAsLong());

    assertFails(1, "go on with --resume", train(runFile()));
    result = train("--resume", "--steps=5", "--format=json");
    assertEquals(0, result.exitCode(), result.err());
    assertEquals(5 * 2 * 8, result.json().get("tokens").getAsLong());
    assertTrue(result.err().contains("going on behind step 4"), result.err());
    assertTrue(result.err().contains("note: schedule is "), result.err());
  }

  @Test
  void evaluationAloneChangesNothing() throws IOException {
    Cli trained = train(runFile(), "--format=json", "--evaluation-batches=100");
    List<JsonObject> before = metrics();
    Cli result = train("--mode=evaluate", "--format=json");
    assertEquals(0, result.exitCode(), result.err());
    assertEquals(
        trained.json().get("validation_loss").getAsDouble(),
        result.json().get("validation_loss").getAsDouble());
    assertEquals(before, metrics());
    // The command that works for every model, through sessions, measures the same.
    Cli other =
        Cli.real(
            "eval",
            "-m",
            trained.json().get("model").getAsString(),
            "--length=16",
            "--data",
            folder.resolve("data.txt").toString(),
            "--format=json");
    assertEquals(0, other.exitCode(), other.err());
    assertEquals(
        result.json().get("validation_loss").getAsDouble(),
        other.json().get("nll").getAsDouble(),
        1e-5);
    assertEquals(result.json().get("scored"), other.json().get("scored"));
  }

  /** The type, too, is the model's: after a resume as well, when the model has gone. */
  @Test
  void fineTuningBeginsWithAModelAndNeedsItNoLonger() throws IOException {
    String model =
        train(runFile(), "--save-type=bf16", "--format=json").json().get("model").getAsString();
    run = folder.resolve("tuned").toString();
    String data = folder.resolve("data.txt").toString();
    Cli result =
        train(
            "-m",
            model,
            "--data",
            data,
            "--documents=line",
            "--steps=2",
            "--batch=1",
            "--format=json");
    assertEquals(0, result.exitCode(), result.err());
    assertFalse(result.json().has("validation_loss"));
    assertFalse(result.err().contains("note:"), result.err());
    Files.move(Path.of(model), folder.resolve("elsewhere"));
    assertFails(2, "--model is of no use with --resume", train("--resume", "-m", model));
    result = train("--resume", "--steps=3", "--format=json");
    assertEquals(0, result.exitCode(), result.err());
    Path config = Path.of(result.json().get("model").getAsString(), "config.json");
    assertTrue(Files.readString(config).contains("bfloat16"));
  }

  @Test
  void wrongUsageIsToldByName() throws IOException {
    String data = folder.resolve("data.txt").toString();
    String config = folder.resolve("config.json").toString();
    assertFails(2, "--output=FOLDER", Cli.real("train", runFile()));
    assertFails(2, "Expected one of '--preset=NAME'", train("--data", data));
    assertFails(2, "but there are 2", train("--preset=tiny", "--config", config, "--data", data));
    assertFails(2, "'--tokenizer=PATH'", train("--preset=tiny", "--data", data));
    assertFails(
        2,
        "Missing required option '--data=FILE'",
        train("-o", run, "--config", config, "--tokenizer", folder.resolve("tokens").toString()));
    assertFails(2, "expected train, evaluate or", train(runFile(), "--mode=learn"));
    assertFails(2, "steps", train(runFile(), "--steps=0"));
    assertFails(2, "is not a long", train(runFile(), "--steps=many"));
    assertFails(1, "no checkpoint to resume from", train("--resume"));
    assertFails(1, "no checkpoint to evaluate", train("--mode=evaluate", "--data", data));
    assertFails(1, "there is no preset", train("--preset=none", "--data", data));

    Path file = Path.of(runFile());
    String good = Files.readString(file);
    Files.writeString(file, good.replace("\"steps\"", "\"stepps\""));
    assertFails(1, "has a field \"stepps\"", train(runFile()));
    Files.writeString(file, good.replace("6,", "\"x\","));
    assertFails(2, "train.json: Invalid value for option '--steps'", train(runFile()));
    Files.writeString(file, "{");
    assertFails(1, "is not valid JSON", train(runFile()));
    assertFails(1, "no such file", train(folder.resolve("none.json").toString()));
  }

  @Test
  void badDataAreToldByName() throws IOException {
    Path empty = Files.writeString(folder.resolve("empty.txt"), "");
    assertFails(1, "empty.txt", train(runFile(), "--data", empty.toString()));
    Path broken = Files.writeString(folder.resolve("broken.jsonl"), "{\"text\": \"a\"}\n{");
    assertFails(1, "broken.jsonl", train(runFile(), "--data", broken.toString()));
  }
}
