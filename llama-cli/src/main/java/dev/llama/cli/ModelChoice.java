package dev.llama.cli;

import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.LoadListener;
import dev.llama.Model;
import dev.llama.ModelOptions;
import dev.llama.SessionOptions;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Optional;
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
      description =
          "Folder with config.json and safetensors weights, or a .gguf file. Required, but"
              + " for generate, which has a small model of its own that tells stories.")
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

  @Option(
      names = "--kv-type",
      paramLabel = "TYPE",
      description = "Type of cached keys and values: F32, or F16, half the memory (default: F32).")
  private DType kvType = DType.F32;

  /** The model's files; picocli does not check required options in groups that only order help. */
  Path path(CommandSpec spec) {
    if (path == null) {
      throw new ParameterException(spec.commandLine(), "Missing required option '--model=PATH'");
    }
    return path;
  }

  /** Whether a model was named. */
  boolean isGiven() {
    return path != null;
  }

  /** Loads the weights; those of the model that comes with the command line if none was named. */
  Model loadOrBundled(Streams io, CommandSpec spec) throws IOException {
    if (path == null) {
      path = BundledModel.extract();
      io.err().println("llama: no --model: the bundled model, which knows little stories only");
    }
    return load(io, spec);
  }

  /** The variant of the backend that was asked for. */
  Optional<String> variant() {
    int colon = backend == null ? -1 : backend.indexOf(':');
    return colon < 0 ? Optional.empty() : Optional.of(backend.substring(colon + 1));
  }

  /** Threads that the backend gets; 0 for its own choice. */
  int threads() {
    return threads;
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
    SessionOptions options =
        checked(
            spec.commandLine(), "--context", () -> SessionOptions.defaults().contextSize(context));
    return checked(spec.commandLine(), "--kv-type", () -> options.kvCacheType(kvType));
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
