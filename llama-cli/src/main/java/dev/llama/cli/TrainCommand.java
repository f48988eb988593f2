package dev.llama.cli;

import com.google.gson.JsonObject;
import dev.llama.DType;
import dev.llama.ModelConfig;
import dev.llama.ModelOptions;
import dev.llama.Tokenizer;
import dev.llama.TrainingException;
import dev.llama.train.BatchSource;
import dev.llama.train.Evaluation;
import dev.llama.train.RunFolder;
import dev.llama.train.RunOptions;
import dev.llama.train.Trainer;
import dev.llama.train.TrainerBuilder;
import dev.llama.train.TrainingRun;
import dev.llama.train.data.DataOptions;
import dev.llama.train.data.Dataset;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Trains a model. */
@Command(
    name = "train",
    description = {
      "Trains a model: from random weights (--preset or --config), or further (--model).",
      "",
      "The run folder gets checkpoints, metrics.jsonl, the loss curve loss.svg and, at the end, the"
          + " trained model. Ctrl-C writes a checkpoint and ends; --resume goes on from the newest"
          + " one, with the same losses as if nothing had happened."
    },
    customSynopsis = {
      "llama train -o FOLDER (--preset NAME | --config FILE | -m MODEL) --data FILE... [OPTION]...",
      "       llama train -o FOLDER RUNFILE [OPTION]...",
      "       llama train -o FOLDER --resume [OPTION]..."
    },
    sortOptions = false,
    optionListHeading = "%nOptions:%n",
    footerHeading = "%nExamples:%n",
    footer = {
      "  llama train -o run --config config.json --tokenizer tokenizer.model --data stories.txt",
      "  llama train -o run --resume --steps 5000",
      "  llama train -o tuned -m Llama-3.2-1B --data notes.jsonl --learning-rate 2e-5",
      "  llama train --mode evaluate -o run"
    })
final class TrainCommand implements Callable<Integer> {
  private static final String RUN_FILE = "run.json";

  /** Options that say what training begins with. */
  private static final List<String> BEGINNING =
      List.of("--preset", "--config", "--model", "--tokenizer", "--vocab-size");

  private final Streams io;
  @Spec private CommandSpec spec;

  @Parameters(
      index = "0",
      arity = "0..1",
      paramLabel = "RUNFILE",
      description = "A JSON object of these options, with _ for -: {\"warmup_steps\": 100}.")
  private Path runFile;

  @ArgGroup(validate = false, order = 1, heading = "%nRun:%n")
  private Run run = new Run();

  @ArgGroup(validate = false, order = 2, heading = "%nModel (one of the first three):%n")
  private Start start = new Start();

  @ArgGroup(validate = false, order = 3, heading = "%nData:%n")
  private Data data = new Data();

  @ArgGroup(validate = false, order = 4, heading = "%nForm of the data:%n")
  private DataChoice form = new DataChoice();

  @ArgGroup(validate = false, order = 5, heading = "%nTraining:%n")
  private TrainingChoice training = new TrainingChoice();

  @Mixin private CommonOptions common;

  TrainCommand(Streams io) {
    this.io = io;
  }

  /** What is done. */
  enum Mode {
    TRAIN,
    EVALUATE,
    TRAIN_AND_EVALUATE
  }

  private static final class Run {
    @Option(
        names = {"-o", "--output"},
        paramLabel = "FOLDER",
        description = "The run folder. Required.")
    private Path output;

    @Option(names = "--resume", description = "Go on from the newest checkpoint of the folder.")
    private boolean resume;

    @Option(
        names = "--mode",
        paramLabel = "MODE",
        description =
            "train, evaluate or train-and-evaluate (default: the last if there are validation"
                + " data, otherwise the first).")
    private String mode;

    @Option(
        names = "--backend",
        paramLabel = "NAME[:VARIANT]",
        description = "Run on this backend, or fail (default: the best that can train).")
    private String backend;

    @Option(
        names = {"-t", "--threads"},
        paramLabel = "N",
        description = "Threads for the backend (default: the number of processors).")
    private int threads;
  }

  private static final class Start {
    @Option(
        names = "--preset",
        paramLabel = "NAME",
        description = "Random weights for a known architecture; see 'llama presets'.")
    private String preset;

    @Option(
        names = "--config",
        paramLabel = "FILE",
        description = "Random weights for a config.json.")
    private Path config;

    @Option(
        names = {"-m", "--model"},
        paramLabel = "FOLDER",
        description = "A model to train further: config.json and safetensors weights.")
    private Path model;

    @Option(
        names = "--tokenizer",
        paramLabel = "PATH",
        description =
            "tokenizer.model, tokenizer.json or a folder with one (default: beside the model or"
                + " config.json).")
    private Path tokenizer;

    @Option(
        names = "--vocab-size",
        paramLabel = "N",
        description = "Rows of embedding and output (default: as many ids as the tokenizer has).")
    private Integer vocabSize;

    @Option(
        names = "--save-type",
        paramLabel = "TYPE",
        description = "F32, BF16 or F16, for the trained model (default: as --model, or F32).")
    private DType saveType;
  }

  private static final class Data {
    @Option(
        names = "--data",
        paramLabel = "FILE",
        description = "File or folder with documents; may be repeated.")
    private List<Path> files = new ArrayList<>();

    @Option(
        names = "--validation-data",
        paramLabel = "FILE",
        description = "File or folder with documents for evaluation; may be repeated.")
    private List<Path> validation = new ArrayList<>();

    @Option(
        names = "--validation-fraction",
        paramLabel = "F",
        description = "Instead: this share of the documents of --data.")
    private Double fraction;

    @Option(
        names = "--shuffle",
        arity = "1",
        paramLabel = "BOOL",
        defaultValue = "true",
        description = "Whether documents come in random order (default: true).")
    private boolean shuffle;
  }

  @Override
  public Integer call() {
    readRunFile();
    try (RunFolder folder = RunFolder.open(output())) {
      Optional<Path> checkpoint = folder.latestCheckpoint();
      Mode mode = mode();
      if (mode == Mode.EVALUATE) {
        return evaluate(checkpoint);
      }
      if (checkpoint.isPresent() && !run.resume) {
        throw new TrainingException(
            folder.path()
                + ": there is a run in this folder, at "
                + checkpoint.get().getFileName()
                + "; go on with --resume, or choose another folder");
      }
      if (run.resume && checkpoint.isEmpty()) {
        throw new TrainingException(
            folder.path() + ": there is no checkpoint to resume from; leave out --resume");
      }
      ModelConfig config = checkpoint.map(ModelConfig::read).orElseGet(this::startConfig);
      DType saved = TrainingChoice.modelType(start.saveType, config, start.model != null);
      folder.write(RUN_FILE, RunFile.text(spec.commandLine().getParseResult(), saved));
      return train(folder, checkpoint, config, saved, mode == Mode.TRAIN_AND_EVALUATE);
    }
  }

  /** Puts the options of the run file, or of the run that is resumed, before those given here. */
  private void readRunFile() {
    var given = spec.commandLine().getParseResult();
    Path file = runFile;
    Path saved = output().resolve(RUN_FILE);
    for (String option : BEGINNING) {
      if (run.resume && given.hasMatchedOption(option)) {
        throw new ParameterException(
            spec.commandLine(),
            option + " is of no use with --resume: the checkpoint holds model and tokenizer");
      }
    }
    boolean old = run.resume || "evaluate".equalsIgnoreCase(run.mode);
    if (file == null && old && Files.exists(saved)) {
      file = saved;
    }
    if (file == null) {
      return;
    }
    List<String> arguments = new ArrayList<>(RunFile.arguments(file, spec, given));
    List<String> all = given.originalArgs(); // those of the parent too
    arguments.addAll(all.subList(all.indexOf(spec.name()) + 1, all.size()));
    try {
      spec.commandLine().parseArgs(arguments.toArray(new String[0]));
    } catch (ParameterException e) {
      throw new ParameterException(spec.commandLine(), file + ": " + e.getMessage(), e);
    }
  }

  private Path output() {
    if (run.output == null) {
      throw new ParameterException(spec.commandLine(), "Missing required option '--output=FOLDER'");
    }
    return run.output;
  }

  private Mode mode() {
    boolean validation = data.fraction != null || !data.validation.isEmpty();
    if (run.mode == null) {
      return validation ? Mode.TRAIN_AND_EVALUATE : Mode.TRAIN;
    }
    switch (run.mode) {
      case "train":
        return Mode.TRAIN;
      case "evaluate":
        return Mode.EVALUATE;
      case "train-and-evaluate":
        if (!validation) {
          throw new ParameterException(
              spec.commandLine(),
              "--mode=train-and-evaluate needs --validation-data or --validation-fraction");
        }
        return Mode.TRAIN_AND_EVALUATE;
      default:
        throw new ParameterException(
            spec.commandLine(),
            "Invalid value for option '--mode': expected train, evaluate or train-and-evaluate,"
                + " but was "
                + run.mode);
    }
  }

  private int train(
      RunFolder folder,
      Optional<Path> checkpoint,
      ModelConfig config,
      DType saved,
      boolean evaluates) {
    boolean pretrained = start.model != null;
    TrainerBuilder builder = checkpoint.map(Trainer::resume).orElseGet(() -> freshTrainer(config));
    RunOptions options = training.run(evaluates, saved, spec);
    training.apply(builder, config, pretrained, spec).options(modelOptions());
    try (Trainer trainer = builder.build();
        Dataset dataset = dataset(trainer);
        BatchSource source = dataset.training()) {
      announce(trainer, dataset);
      Optional<BatchSource> validation = evaluates ? dataset.validation() : Optional.empty();
      TrainingProgress progress = new TrainingProgress(io, trainer.steps(), training.steps());
      TrainingRun work = new TrainingRun(trainer, folder, source, validation, options, progress);
      TrainingRun.Outcome[] outcome = new TrainingRun.Outcome[1];
      try (progress) {
        Interrupt.run(work::stop, () -> outcome[0] = work.run());
      } finally {
        validation.ifPresent(BatchSource::close);
      }
      return report(folder, trainer, progress, outcome[0]);
    }
  }

  private TrainerBuilder freshTrainer(ModelConfig config) {
    TrainerBuilder builder =
        start.model != null ? Trainer.builder(start.model) : Trainer.builder(config);
    Path tokenizer = start.tokenizer;
    if (tokenizer == null && start.config != null) {
      Path beside = start.config.toAbsolutePath().getParent();
      tokenizer = Files.isDirectory(start.config) ? start.config : beside;
    }
    if (tokenizer == null && start.model == null) {
      throw new ParameterException(
          spec.commandLine(), "Missing option '--tokenizer=PATH': a preset has none");
    }
    if (tokenizer != null) {
      builder.tokenizer(tokenizer);
    }
    return start.vocabSize == null ? builder : builder.vocabSize(start.vocabSize);
  }

  private ModelConfig startConfig() {
    int given = count(start.preset) + count(start.config) + count(start.model);
    if (given != 1) {
      throw new ParameterException(
          spec.commandLine(),
          "Expected one of '--preset=NAME', '--config=FILE' and '--model=FOLDER', but there are "
              + given);
    }
    return start.preset != null
        ? ModelConfig.preset(start.preset)
        : ModelConfig.read(start.config != null ? start.config : start.model);
  }

  private static int count(Object value) {
    return value == null ? 0 : 1;
  }

  private ModelOptions modelOptions() {
    ModelOptions options =
        ModelChoice.checked(
            spec.commandLine(), "--threads", () -> ModelOptions.defaults().threads(run.threads));
    return run.backend == null ? options : options.backend(run.backend);
  }

  private Dataset dataset(Trainer trainer) {
    return DataChoice.open(dataOptions(), tokenizer(trainer), trainer.config());
  }

  private static Tokenizer tokenizer(Trainer trainer) {
    return trainer
        .tokenizer()
        .orElseThrow(
            () -> new TrainingException("the model has no tokenizer; name one by --tokenizer"));
  }

  private DataOptions dataOptions() {
    if (data.files.isEmpty()) {
      throw new ParameterException(spec.commandLine(), "Missing required option '--data=FILE'");
    }
    DataOptions options =
        form.options(data.files, spec).seed(training.seed()).shuffle(data.shuffle);
    return ModelChoice.checked(
        spec.commandLine(),
        "--validation-fraction",
        () ->
            (data.fraction == null ? options : options.validationFraction(data.fraction))
                .validationFiles(data.validation));
  }

  private void announce(Trainer trainer, Dataset dataset) {
    trainer.notices().forEach(notice -> io.err().println("note: " + notice));
    io.err()
        .println(
            Units.parameters(trainer.config().parameterCount())
                + " parameters, "
                + Units.bytes(trainer.memoryBytes())
                + ", "
                + trainer.backend().description());
    io.err()
        .println(
            Units.plural(dataset.trainingDocuments(), "document")
                + " to train on, "
                + dataset.validationDocuments()
                + " for validation"
                + (trainer.steps() > 0 ? "; going on behind step " + trainer.steps() : ""));
  }

  private int report(
      RunFolder folder, Trainer trainer, TrainingProgress progress, TrainingRun.Outcome outcome) {
    boolean stopped = outcome == TrainingRun.Outcome.STOPPED;
    JsonObject json = new JsonObject();
    json.addProperty("step", trainer.steps());
    json.addProperty("steps", training.steps());
    json.addProperty("tokens", trainer.tokensSeen());
    if (progress.lastStep() != null) {
      json.addProperty("loss", progress.lastStep().loss());
      json.addProperty("tokens_per_second", progress.tokensPerSecond());
    }
    if (progress.lastEvaluation() != null) {
      json.addProperty("validation_loss", progress.lastEvaluation().loss());
      json.addProperty("perplexity", progress.lastEvaluation().perplexity());
    }
    folder.latestCheckpoint().ifPresent(p -> json.addProperty("checkpoint", p.toString()));
    if (!stopped) {
      json.addProperty("model", folder.model().toString());
    }
    json.addProperty("curve", folder.curve().toString());
    common.print(io, json);
    if (stopped) {
      io.err()
          .println(
              "stopped behind step "
                  + trainer.steps()
                  + "; go on with: llama train --resume -o "
                  + folder.path());
      return Main.INTERRUPTED;
    }
    return 0;
  }

  private int evaluate(Optional<Path> checkpoint) {
    Path model =
        start.model != null && checkpoint.isEmpty()
            ? start.model
            : checkpoint.orElseThrow(
                () ->
                    new TrainingException(
                        output() + ": has no checkpoint to evaluate; name a model by --model"));
    TrainerBuilder builder = Trainer.builder(model).evaluationOnly();
    training
        .apply(builder, ModelConfig.read(model), true, spec)
        .accumulation(1)
        .options(modelOptions());
    DataOptions options = dataOptions();
    if (data.fraction == null && data.validation.isEmpty()) {
      options = options.validationFiles(data.files);
    }
    try (Trainer trainer = builder.build();
        Dataset dataset = DataChoice.open(options, tokenizer(trainer), trainer.config());
        BatchSource source = dataset.validation().orElseThrow()) {
      Evaluation evaluation = trainer.evaluate(source, training.allEvaluationBatches());
      JsonObject json = new JsonObject();
      json.addProperty("model", model.toString());
      json.addProperty("documents", dataset.validationDocuments());
      json.addProperty("scored", evaluation.targets());
      json.addProperty("validation_loss", evaluation.loss());
      json.addProperty("perplexity", evaluation.perplexity());
      json.addProperty("seconds", evaluation.seconds());
      common.print(io, json);
      return 0;
    }
  }
}
