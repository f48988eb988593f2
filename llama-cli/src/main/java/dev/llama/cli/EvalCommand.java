package dev.llama.cli;

import com.google.gson.JsonObject;
import dev.llama.InvalidInputException;
import dev.llama.Model;
import dev.llama.Session;
import dev.llama.Tokenizer;
import dev.llama.train.BatchSource;
import dev.llama.train.data.DataOptions;
import dev.llama.train.data.Dataset;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The perplexity of a text. */
@Command(
    name = "eval",
    description = {
      "Measures how well a model predicts a text: mean negative log-likelihood and perplexity.",
      "",
      "A text longer than the context is cut into overlapping windows; every token is scored once."
          + " Where the tokenizer adds a beginning-of-text token, every window begins with it.",
      "",
      "With --data the documents of the files are scored as 'llama train' scores validation data:"
          + " each by itself, cut into rows of --length tokens."
    },
    customSynopsis = "llama eval -m PATH [OPTION]... (-f FILE | --tokens FILE | --data FILE...)",
    sortOptions = false,
    optionListHeading = "%nOptions:%n",
    footerHeading = "%nExamples:%n",
    footer = {
      "  llama eval -m Llama-3.2-1B -f wiki.test.raw -c 2048",
      "  llama eval -m stories260K --tokens ids.json --format json",
      "  llama eval -m run/model --data held-out.jsonl --json-field story"
    })
final class EvalCommand implements Callable<Integer> {
  private static final int DEFAULT_LENGTH = 512;

  private final Streams io;
  @Spec private CommandSpec spec;

  @ArgGroup(validate = false, order = 1, heading = "%nModel:%n")
  private ModelChoice model = new ModelChoice();

  @ArgGroup(order = 2, multiplicity = "1", heading = "%nText (one of these):%n")
  private Text source;

  @Option(
      names = "--stride",
      paramLabel = "N",
      description = "From one window to the next (default: half the context).")
  private Integer stride;

  @Option(
      names = "--length",
      paramLabel = "N",
      description = "With --data: tokens in a row (default: 512, or the context if shorter).")
  private Integer length;

  @ArgGroup(validate = false, order = 3, heading = "%nForm of the data:%n")
  private DataChoice form = new DataChoice();

  @Mixin private CommonOptions common;

  EvalCommand(Streams io) {
    this.io = io;
  }

  /** What is scored. */
  static final class Text {
    @Option(
        names = {"-f", "--file"},
        paramLabel = "FILE",
        description = "A file with text in UTF-8; - is stdin.")
    private Path file;

    @Option(
        names = "--tokens",
        paramLabel = "FILE",
        description =
            "A file with token ids, taken as they are: a JSON array, or separated by"
                + " white space; - is stdin.")
    private Path tokens;

    @Option(
        names = "--data",
        paramLabel = "FILE",
        description =
            "File or folder with documents: text, JSON lines or FASTA, also .gz; may be repeated.")
    private List<Path> data;
  }

  @Override
  public Integer call() throws IOException {
    model.path(spec);
    if (source.data != null) {
      return evaluateData();
    }
    Path path = source.file != null ? source.file : source.tokens;
    String text = TextSource.read(path, io);
    try (Model loaded = model.load(io, spec);
        Session session = loaded.newSession(model.session(spec))) {
      int[] ids =
          source.file != null
              ? TokenIds.withBos(loaded.tokenizer(), loaded.tokenizer().encode(text))
              : TokenIds.parse(text, path.toString());
      if (ids.length < 2) {
        throw new InvalidInputException(
            path + ": " + Units.plural(ids.length, "token") + ", expected 2 or more to score");
      }
      boolean begins = bos(loaded).equals(OptionalInt.of(ids[0]));
      int step = stride(session.contextSize() - (begins ? 1 : 0));
      long start = System.nanoTime();
      Perplexity result;
      try (Progress progress = new Progress(io, "Scoring", " tokens", 1)) {
        result =
            Perplexity.of(
                session, ids, begins, step, scored -> progress.update(scored, ids.length - 1));
      }
      double seconds = (System.nanoTime() - start) / 1e9;
      report(result, ids.length, session.contextSize(), step, seconds, loaded.backend().name());
    }
    return 0;
  }

  private int evaluateData() {
    DataOptions options = form.options(source.data, spec).validationFiles(source.data);
    try (Model loaded = model.load(io, spec);
        Session session = loaded.newSession(model.session(spec));
        Dataset dataset = DataChoice.open(options, loaded.tokenizer(), loaded.config());
        BatchSource rows = dataset.validation().orElseThrow();
        Progress progress = new Progress(io, "Scoring", " %", 1)) {
      int row = length != null ? length : Math.min(DEFAULT_LENGTH, session.contextSize());
      if (row < 2 || row > session.contextSize()) {
        throw new ParameterException(
            spec.commandLine(),
            "Invalid value for option '--length': expected 2 to "
                + session.contextSize()
                + ", but was "
                + row);
      }
      long start = System.nanoTime();
      Perplexity result =
          Perplexity.of(
              session, rows, row, () -> progress.update(Math.round(100 * rows.epochs()), 100));
      JsonObject json = new JsonObject();
      json.addProperty("documents", dataset.validationDocuments());
      json.addProperty("scored", result.scored());
      json.add("nll", Json.number(result.meanNll()));
      json.add("perplexity", Json.number(result.perplexity()));
      json.addProperty("length", row);
      json.add("seconds", Json.number((System.nanoTime() - start) / 1e9));
      json.addProperty("backend", loaded.backend().name());
      common.print(io, json);
    }
    return 0;
  }

  /** Ids can be scored without a tokenizer; the configuration then says what begins a text. */
  private OptionalInt bos(Model loaded) {
    if (source.tokens != null) {
      return loaded.config().bosTokenId();
    }
    Tokenizer tokenizer = loaded.tokenizer();
    return tokenizer.addsBos() ? tokenizer.bos() : OptionalInt.empty();
  }

  private int stride(int room) {
    if (room < 2) {
      throw new ParameterException(
          spec.commandLine(),
          "Invalid value for option '--context': too small to predict anything");
    }
    int step = stride == null ? Math.max(1, room / 2) : stride;
    // A window that began where the last one ended would have nothing to predict its first token
    // from.
    if (step < 1 || step >= room) {
      throw new ParameterException(
          spec.commandLine(),
          "Invalid value for option '--stride': expected 1 to " + (room - 1) + ", but was " + step);
    }
    return step;
  }

  private void report(
      Perplexity result, int tokens, int context, int step, double seconds, String backend) {
    if (common.isJson()) {
      JsonObject json = new JsonObject();
      json.addProperty("tokens", tokens);
      json.addProperty("scored", result.scored());
      json.add("nll", Json.number(result.meanNll()));
      json.add("perplexity", Json.number(result.perplexity()));
      json.addProperty("context", context);
      json.addProperty("stride", step);
      json.addProperty("windows", result.windows());
      json.add("seconds", Json.number(seconds));
      json.addProperty("backend", backend);
      Json.print(io, json);
      return;
    }
    new Table("lr")
        .row("tokens", tokens)
        .row("scored", result.scored())
        .row("mean nll", Units.decimals(result.meanNll(), 6))
        .row("perplexity", Units.decimals(result.perplexity(), 4))
        .row("context", context)
        .row("stride", step)
        .row("windows", result.windows())
        .row("seconds", Units.decimals(seconds, 3))
        .row("backend", backend)
        .print(io.out());
    io.flush();
  }
}
