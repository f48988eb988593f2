package dev.llama.cli;

import dev.llama.InvalidInputException;
import dev.llama.LoadListener;
import dev.llama.Model;
import dev.llama.ModelOptions;
import dev.llama.SessionOptions;
import java.nio.file.Path;
import java.util.function.BiFunction;
import java.util.function.Supplier;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** Options that say which model runs, and on what. */
final class ModelChoice {
  @Option(
      names = {"-m", "--model"},
      paramLabel = "PATH",
      description = "Folder with config.json and safetensors weights, or a .gguf file. Required.")
  private Path path;

  @Option(
      names = "--backend",
      paramLabel = "NAME[:VARIANT]",
      description = "Run on this backend, or fail (default: the best; see 'llama backends').")
  private String backend;

  @Option(
      names = {"-t", "--threads"},
      paramLabel = "N",
      description = "Threads for the backend (default: the number of cores).")
  private int threads;

  @Option(
      names = {"-c", "--context"},
      paramLabel = "N",
      description = "Largest number of positions (default: the model's).")
  private int context;

  /** The model's files; picocli does not check required options in groups that only order help. */
  Path path(CommandSpec spec) {
    if (path == null) {
      throw new ParameterException(spec.commandLine(), "Missing required option '--model=PATH'");
    }
    return path;
  }

  /** Threads that the backend gets. */
  int threads() {
    return threads == 0 ? Runtime.getRuntime().availableProcessors() : threads;
  }

  /** Loads the weights, with a progress bar where it takes time. */
  Model load(Streams io, CommandSpec spec) {
    return open(io, spec, Model::load);
  }

  /** Loads or creates a model, with a progress bar where it takes time. */
  Model open(Streams io, CommandSpec spec, BiFunction<Path, ModelOptions, Model> opener) {
    Path model = path(spec);
    ModelOptions options = options(spec);
    try (Progress progress = new Progress(io, "Loading", " MiB", 1 << 20)) {
      LoadListener listener = (phase, done, total) -> progress.update(done, total);
      return opener.apply(model, options.listener(listener));
    }
  }

  private ModelOptions options(CommandSpec spec) {
    ModelOptions options =
        checked(spec.commandLine(), "--threads", () -> ModelOptions.defaults().threads(threads));
    if (backend != null && backend.isBlank()) {
      throw new ParameterException(
          spec.commandLine(), "Invalid value for option '--backend': it is empty");
    }
    return backend == null ? options : options.backend(backend);
  }

  SessionOptions session(CommandSpec spec) {
    return checked(
        spec.commandLine(), "--context", () -> SessionOptions.defaults().contextSize(context));
  }

  /** Turns what the API says about a value into a message about the option. */
  static <T> T checked(CommandLine command, String option, Supplier<T> value) {
    try {
      return value.get();
    } catch (InvalidInputException e) {
      throw new ParameterException(
          command, "Invalid value for option '" + option + "': " + e.getMessage());
    }
  }
}
