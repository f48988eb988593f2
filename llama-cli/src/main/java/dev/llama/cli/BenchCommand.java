package dev.llama.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.llama.DType;
import dev.llama.GenerationOptions;
import dev.llama.Model;
import dev.llama.ModelOptions;
import dev.llama.Session;
import java.io.IOException;
import java.nio.file.Path;
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
      "As with llama-bench, ppN is a prompt of N tokens at once, tgN is N tokens one at a time,"
          + " @dN behind N other tokens. Each repetition starts with the same context; before the"
          + " first, about three seconds of them warm up and are not counted."
          + " Before all that, the first token: the seconds from the start of loading to the logits"
          + " behind a prompt of 5 tokens."
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
      "  llama bench -m model.gguf -p 0 -n 32 -d 0,8192 --profile",
      "  llama bench -m config.json -t 4",
      "  llama bench -m llama-3.2-1b"
    })
final class BenchCommand implements Callable<Integer> {
  private static final long SEED = 42;
  private static final int FIRST_PROMPT = 5; // tokens
  private static final long WARM_UP_NANOS = 3_000_000_000L; // until all is compiled

  private final Streams io;
  private final OpTimes opTimes = new OpTimes();
  private long start; // of loading
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
      names = {"-d", "--depth"},
      split = ",",
      defaultValue = "0",
      paramLabel = "N",
      description = "Tokens before those one at a time; several with commas (default: 0).")
  private List<Integer> depths;

  @Option(
      names = "--profile",
      description = "Show how long each operation takes; measures a little less speed.")
  private boolean profile;

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

  /**
   * One kind of work and how fast it was.
   *
   * @param test name
   * @param depth tokens before it, for one token at a time; else -1
   * @param speed in tokens per second
   * @param ops times by operation; empty without --profile
   */
  private record Result(String test, int depth, Samples speed, OpTimes ops) {}

  /**
   * How long a program waits that has just been started.
   *
   * @param load seconds until the model is there
   * @param firstToken seconds until the logits behind the first prompt are, loading included
   */
  private record Start(double load, double firstToken) {}

  /** What is known of the model. */
  private record Subject(
      String path, boolean random, long bytes, Model model, Start start, Roofline roofline) {}

  @Override
  public Integer call() throws IOException {
    check("--repetitions", List.of(repetitions), 1);
    check("--n-prompt", prompts, 0);
    check("--n-gen", decodes, 0);
    check("--depth", depths, 0);
    if (Collections.max(prompts) == 0 && Collections.max(decodes) == 0) {
      throw new ParameterException(
          spec.commandLine(), "Nothing to measure: --n-prompt and --n-gen are both 0");
    }
    OptionalLong stored = Weights.storedBytes(model.path(spec));
    boolean random = stored.isEmpty();
    try (Model loaded = model.open(io, spec, (path, options) -> open(path, options, random))) {
      bench(loaded, stored);
    }
    return 0;
  }

  private void bench(Model loaded, OptionalLong stored) {
    double load = secondsSinceStart();
    try (Session session = loaded.newSession(model.session(spec))) {
      Random tokens = new Random(SEED);
      int vocabularySize = loaded.config().vocabSize();
      int first = Math.min(FIRST_PROMPT, session.contextSize());
      prefill(session, tokens.ints(first, 0, vocabularySize).toArray());
      Start waited = new Start(load, secondsSinceStart());
      session.rewind(0);
      List<Result> results = measure(session, tokens, vocabularySize);
      long bytes = stored.orElseGet(() -> DType.F32.bytes(loaded.config().parameterCount()));
      Roofline roofline = Roofline.of(loaded, bytes, model.session(spec).kvCacheType(), model);
      Subject subject =
          new Subject(
              model.path(spec).toString(), stored.isEmpty(), bytes, loaded, waited, roofline);
      if (common.isJson()) {
        json(subject, results);
      } else {
        text(subject, results);
      }
    }
  }

  private double secondsSinceStart() {
    return (System.nanoTime() - start) / 1e9;
  }

  private Model open(Path path, ModelOptions options, boolean random) {
    ModelOptions all = profile ? options.opListener(opTimes) : options;
    start = System.nanoTime();
    return random ? Architecture.create(path, SEED, all) : Model.load(path, all);
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

  private List<Result> measure(Session session, Random random, int vocabularySize) {
    List<Result> results = new ArrayList<>();
    for (int n : prompts) {
      if (n > 0) {
        int[] tokens = random.ints(n, 0, vocabularySize).toArray();
        results.add(repeat("pp" + n, -1, session, n, () -> prefill(session, tokens)));
      }
    }
    for (int depth : depths) {
      for (int n : decodes) {
        if (n > 0) {
          int token = random.nextInt(vocabularySize);
          String test = "tg" + n + (depth == 0 ? "" : "@d" + depth);
          fill(session, random.ints(depth, 0, vocabularySize).toArray());
          results.add(repeat(test, depth, session, n, () -> decode(session, token, n)));
        }
      }
    }
    return results;
  }

  private static void fill(Session session, int[] tokens) {
    session.rewind(0);
    if (tokens.length > 0) {
      session.append(tokens);
    }
  }

  /** Logits make the host wait for the device, and are what a caller is after. */
  private static void prefill(Session session, int[] tokens) {
    session.append(tokens);
    session.logits();
  }

  /** Decodes greedily, as a text is generated: the first token from the prompt's only one. */
  private static void decode(Session session, int token, int count) {
    GenerationOptions options =
        GenerationOptions.greedy().maxNewTokens(count).ignoreModelStops(true);
    session.generate(new int[] {token}, options).forEach(generated -> {});
  }

  private Result repeat(String test, int depth, Session session, int tokens, Runnable work) {
    int before = Math.max(0, depth);
    long start = System.nanoTime();
    do {
      session.rewind(before);
      work.run();
    } while (System.nanoTime() - start < WARM_UP_NANOS);
    opTimes.clear();
    double[] speeds = new double[repetitions];
    for (int i = 0; i < repetitions; i++) {
      session.rewind(before);
      start = System.nanoTime();
      work.run();
      long nanos = System.nanoTime() - start;
      opTimes.addWall(nanos);
      speeds[i] = tokens / (nanos / 1e9);
    }
    return new Result(test, depth, new Samples(speeds), opTimes.copy());
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
    io.out()
        .println(
            "first token: after "
                + Units.seconds(subject.start().firstToken())
                + ", of which loading "
                + Units.seconds(subject.start().load()));
    io.out().println();
    Table table =
        new Table("lrlrrr").row("backend", "threads", "test", "tokens/s", "± sd", "median");
    for (Result result : results) {
      table.row(
          subject.model().backend().name(),
          model.threads() == 0 ? "auto" : model.threads(),
          result.test(),
          Units.decimals(result.speed().mean(), 2),
          Units.decimals(result.speed().standardDeviation(), 2),
          Units.decimals(result.speed().median(), 2));
    }
    table.print(io.out());
    roofline(subject, results);
    for (Result result : results) {
      result.ops().print(io.out(), result.test());
    }
    io.flush();
  }

  private void roofline(Subject subject, List<Result> results) {
    Roofline roofline = subject.roofline();
    if (!roofline.isKnown() || results.stream().allMatch(result -> result.depth() < 0)) {
      return;
    }
    io.out().println();
    io.out()
        .println(
            "memory: " + Units.decimals(roofline.bandwidth() / 1e9, 1) + " GB/s read, measured");
    for (Result result : results) {
      if (result.depth() >= 0) {
        io.out()
            .println(
                result.test()
                    + ": "
                    + Units.decimals(roofline.bytes(result.depth()) / 1e9, 3)
                    + " GB per token, so at most "
                    + Units.decimals(roofline.limit(result.depth()), 2)
                    + " tokens/s; reached "
                    + Units.decimals(100 * roofline.share(result.depth(), result.speed()), 0)
                    + " %");
      }
    }
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
    json.addProperty("load_seconds", subject.start().load());
    json.addProperty("first_token_seconds", subject.start().firstToken());
    Roofline roofline = subject.roofline();
    if (roofline.isKnown()) {
      json.addProperty("read_bandwidth", roofline.bandwidth());
    }
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
      if (result.depth() >= 0) {
        test.addProperty("depth", result.depth());
        test.addProperty("bytes_per_token", roofline.bytes(result.depth()));
        if (roofline.isKnown()) {
          double share = roofline.share(result.depth(), result.speed());
          test.addProperty("share_of_bandwidth_limit", share);
        }
      }
      if (profile) {
        test.add("ops", result.ops().json());
      }
      tests.add(test);
    }
    json.add("tests", tests);
    Json.print(io, json);
  }
}
