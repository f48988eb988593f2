package dev.llama.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.llama.DType;
import dev.llama.Model;
import dev.llama.Session;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Measures speed. */
@Command(
    name = "bench",
    description = {
      "Measures the speed of prefill and decode, in tokens per second.",
      "",
      "As with llama-bench, ppN is a prompt of N tokens at once, tgN is N tokens one at a time."
          + " Each repetition starts with an empty context; one of each kind warms up and is not"
          + " counted."
          + " Tokens are random. Without weights at PATH (a config.json alone, or the name of a"
          + " preset) they are random too."
    },
    customSynopsis = "llama bench -m PATH [OPTION]...",
    sortOptions = false,
    optionListHeading = "%nOptions:%n",
    footerHeading = "%nExamples:%n",
    footer = {
      "  llama bench -m Llama-3.2-1B",
      "  llama bench -m model.gguf -p 512,2048 -n 0 -r 5 --format json",
      "  llama bench -m config.json -t 4",
      "  llama bench -m llama-3.2-1b"
    })
final class BenchCommand implements Callable<Integer> {
  private static final long SEED = 42;

  private final Streams io;
  @Spec private CommandSpec spec;

  @ArgGroup(validate = false, order = 1, heading = "%nModel:%n")
  private ModelChoice model = new ModelChoice();

  @Option(
      names = {"-p", "--n-prompt"},
      split = ",",
      defaultValue = "512",
      paramLabel = "N",
      description = "Tokens of the prompt; 0 for no such test; several with commas (default: 512).")
  private List<Integer> prompts;

  @Option(
      names = {"-n", "--n-gen"},
      split = ",",
      defaultValue = "64",
      paramLabel = "N",
      description = "Tokens one at a time; 0 for no such test; several with commas (default: 64).")
  private List<Integer> decodes;

  @Option(
      names = {"-r", "--repetitions"},
      defaultValue = "3",
      paramLabel = "N",
      description = "Counted repetitions of each test (default: 3).")
  private int repetitions;

  @Mixin private CommonOptions common;

  BenchCommand(Streams io) {
    this.io = io;
  }

  /** One kind of work and how fast it was, in tokens per second. */
  private record Result(String test, Samples speed) {}

  /** What is known of the model before anything is measured. */
  private record Subject(String path, boolean random, long bytes, Model model) {}

  @Override
  public Integer call() throws IOException {
    check("--repetitions", List.of(repetitions), 1);
    check("--n-prompt", prompts, 0);
    check("--n-gen", decodes, 0);
    if (Collections.max(prompts) == 0 && Collections.max(decodes) == 0) {
      throw new ParameterException(
          spec.commandLine(), "Nothing to measure: --n-prompt and --n-gen are both 0");
    }
    OptionalLong stored = Weights.storedBytes(model.path(spec));
    boolean random = stored.isEmpty();
    try (Model loaded =
            model.open(
                io,
                spec,
                (path, options) ->
                    random ? Architecture.create(path, SEED, options) : Model.load(path, options));
        Session session = loaded.newSession(model.session(spec))) {
      List<Result> results = measure(session, loaded.config().vocabSize());
      long bytes = stored.orElseGet(() -> DType.F32.bytes(loaded.config().parameterCount()));
      Subject subject = new Subject(model.path(spec).toString(), random, bytes, loaded);
      if (common.isJson()) {
        json(subject, results);
      } else {
        text(subject, results);
      }
    }
    return 0;
  }

  private void check(String option, List<Integer> values, int least) {
    for (int value : values) {
      if (value < least) {
        throw new ParameterException(
            spec.commandLine(),
            "Invalid value for option '"
                + option
                + "': expected "
                + least
                + " or more, but was "
                + value);
      }
    }
  }

  private List<Result> measure(Session session, int vocabularySize) {
    Random random = new Random(SEED);
    List<Result> results = new ArrayList<>();
    for (int n : prompts) {
      if (n > 0) {
        int[] tokens = random.ints(n, 0, vocabularySize).toArray();
        results.add(new Result("pp" + n, repeat(session, n, () -> prefill(session, tokens))));
      }
    }
    for (int n : decodes) {
      if (n > 0) {
        int[] tokens = random.ints(n, 0, vocabularySize).toArray();
        results.add(new Result("tg" + n, repeat(session, n, () -> decode(session, tokens))));
      }
    }
    return results;
  }

  /** Logits make the host wait for the device, and are what a caller is after. */
  private static void prefill(Session session, int[] tokens) {
    session.append(tokens);
    session.logits();
  }

  private static void decode(Session session, int[] tokens) {
    for (int token : tokens) {
      session.append(token);
      session.logits();
    }
  }

  private Samples repeat(Session session, int tokens, Runnable work) {
    double[] speeds = new double[repetitions];
    for (int i = -1; i < repetitions; i++) { // -1 warms up
      session.rewind(0);
      long start = System.nanoTime();
      work.run();
      if (i >= 0) {
        speeds[i] = tokens / ((System.nanoTime() - start) / 1e9);
      }
    }
    return new Samples(speeds);
  }

  private void text(Subject subject, List<Result> results) {
    io.out()
        .println(
            subject.path()
                + (subject.random() ? " (random weights): " : ": ")
                + Units.parameters(subject.model().config().parameterCount())
                + " parameters, "
                + Units.bytes(subject.bytes()));
    io.out().println("backend: " + subject.model().backend().description());
    io.out().println();
    Table table =
        new Table("lrlrrr").row("backend", "threads", "test", "tokens/s", "± sd", "median");
    for (Result result : results) {
      table.row(
          subject.model().backend().name(),
          model.threads(),
          result.test(),
          Units.decimals(result.speed().mean(), 2),
          Units.decimals(result.speed().standardDeviation(), 2),
          Units.decimals(result.speed().median(), 2));
    }
    table.print(io.out());
    io.flush();
  }

  private void json(Subject subject, List<Result> results) {
    JsonObject json = new JsonObject();
    json.addProperty("model", subject.path());
    json.addProperty("random_weights", subject.random());
    json.addProperty("parameters", subject.model().config().parameterCount());
    json.addProperty("weight_bytes", subject.bytes());
    json.addProperty("backend", subject.model().backend().name());
    json.addProperty("backend_description", subject.model().backend().description());
    json.addProperty("threads", model.threads());
    JsonArray tests = new JsonArray();
    for (Result result : results) {
      JsonObject test = new JsonObject();
      test.addProperty("test", result.test());
      test.add("mean_tokens_per_second", Json.number(result.speed().mean()));
      test.add("stddev_tokens_per_second", Json.number(result.speed().standardDeviation()));
      test.add("median_tokens_per_second", Json.number(result.speed().median()));
      JsonArray samples = new JsonArray();
      for (double speed : result.speed().values()) {
        samples.add(speed);
      }
      test.add("samples", samples);
      tests.add(test);
    }
    json.add("tests", tests);
    Json.print(io, json);
  }
}
