package dev.llama.core.model;

import dev.llama.BackendException;
import dev.llama.DType;
import dev.llama.FormatException;
import dev.llama.GenerationOptions;
import dev.llama.Layer;
import dev.llama.LoadListener;
import dev.llama.LoadListener.Phase;
import dev.llama.Model;
import dev.llama.ModelConfig;
import dev.llama.ModelOptions;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.core.config.ConfigReader;
import dev.llama.core.config.GenerationConfig;
import dev.llama.core.config.GenerationConfigReader;
import dev.llama.core.config.Presets;
import dev.llama.core.files.Checkpoint;
import dev.llama.core.files.GgufFile;
import dev.llama.core.files.TensorSource;
import dev.llama.core.files.WeightCheck;
import dev.llama.core.tokenizer.TokenizerFiles;
import dev.llama.spi.Backend;
import dev.llama.spi.ModelLoader;
import dev.llama.spi.RopeTable;
import dev.llama.spi.Tensor;
import dev.llama.spi.TensorData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Opens folders of Hugging Face checkpoints and GGUF files. Stateless. */
public final class CoreModelLoader implements ModelLoader {
  private static final String CONFIG = "config.json";

  /** What messages name in place of a file when there is none. */
  private static final Path NO_FILE = Paths.get("(model created from a ModelConfig)");

  /** Called by {@link java.util.ServiceLoader}. */
  public CoreModelLoader() {}

  /**
   * Other threads find the backend and make the tokenizer; each takes about as long as the rest.
   */
  @Override
  public Model load(Path path, ModelOptions options) {
    options.listener().progress(Phase.OPEN, 0, 0);
    Background<BackendChooser.Choice> backend = startBackend(options);
    Opened opened;
    try {
      opened = GgufFile.isGguf(path) ? openGguf(path, options) : openFolder(path, options);
    } catch (RuntimeException | Error e) {
      close(backend);
      throw e;
    }
    return assemble(opened, options, backend, new FromFiles(path, opened.files.tensors()));
  }

  private static Background<BackendChooser.Choice> startBackend(ModelOptions options) {
    return Background.start("llama-backend", () -> BackendChooser.choose(options));
  }

  private static void close(Background<BackendChooser.Choice> backend) {
    Optional<BackendChooser.Choice> choice = backend.resultIfAny();
    if (choice.isPresent()) {
      closeQuietly(choice.get().backend());
    }
  }

  @Override
  public Model create(Path path, long seed, ModelOptions options) {
    options.listener().progress(Phase.OPEN, 0, 0);
    ModelConfig config = readConfig(path);
    Path folder = configFile(path).toAbsolutePath().getParent();
    Optional<Tokenizer> tokenizer = tokenizer(folder, options);
    return create(
        new Opened(path, config, () -> tokenizer, folder, RopeTable.Pairing.HALVES, null),
        seed,
        options);
  }

  @Override
  public Model create(ModelConfig config, long seed, ModelOptions options) {
    options.listener().progress(Phase.OPEN, 0, 0);
    return create(
        new Opened(NO_FILE, config, options::tokenizer, null, RopeTable.Pairing.HALVES, null),
        seed,
        options);
  }

  private static Model create(Opened opened, long seed, ModelOptions options) {
    double range = opened.config.initializerRange();
    return assemble(opened, options, startBackend(options), new FromChance(seed, range));
  }

  /** Where weights come from. */
  private interface Origin {
    /** Returns what makes tensors on a backend. */
    Weights.Source on(Backend backend, List<Layer> layers);

    /** Returns the size of a weight. */
    long bytes(Layer.Weight weight);
  }

  private record FromFiles(Path path, Map<String, TensorData> tensors) implements Origin {
    @Override
    public Weights.Source on(Backend backend, List<Layer> layers) {
      requireSupported(path, backend, layers, tensors);
      return weight -> backend.load(tensors.get(weight.name()));
    }

    @Override
    public long bytes(Layer.Weight weight) {
      return tensors.get(weight.name()).byteSize();
    }
  }

  private record FromChance(long seed, double standardDeviation) implements Origin {
    @Override
    public Weights.Source on(Backend backend, List<Layer> layers) {
      return new RandomWeights(backend, seed, standardDeviation);
    }

    @Override
    public long bytes(Layer.Weight weight) {
      return Math.multiplyExact(weight.elements(), Float.BYTES);
    }
  }

  @Override
  public ModelConfig preset(String name) {
    return Presets.read(name);
  }

  @Override
  public List<String> presets() {
    return Presets.NAMES;
  }

  /** Puts the weights on a backend. If anything fails, everything that is open is closed. */
  private static Model assemble(
      Opened opened,
      ModelOptions options,
      Background<BackendChooser.Choice> backend,
      Origin origin) {
    Weights weights = null;
    try {
      List<Layer> layers = opened.config.layers();
      if (opened.files != null) {
        WeightCheck.check(opened.path, layers, opened.files);
      }
      BackendChooser.Choice choice = profiled(backend.result(), options);
      weights = load(layers, choice.backend(), origin, options.listener());
      Model model = new LoadedModel(parts(opened), choice, opened.files, weights);
      long total = totalBytes(layers, origin);
      options.listener().progress(Phase.READY, total, total);
      return model;
    } catch (RuntimeException | Error e) {
      closeQuietly(weights);
      close(backend);
      closeQuietly(opened.files);
      throw e;
    }
  }

  private static Weights load(
      List<Layer> layers, Backend backend, Origin origin, LoadListener listener) {
    long total = totalBytes(layers, origin);
    listener.progress(Phase.WEIGHTS, 0, total);
    Weights.Source source = origin.on(backend, layers);
    long[] done = new long[1];
    return Weights.load(
        layers,
        weight -> {
          Tensor tensor = source.tensor(weight);
          done[0] += origin.bytes(weight);
          listener.progress(Phase.WEIGHTS, done[0], total);
          return tensor;
        },
        backend::matricesLoaded);
  }

  private static long totalBytes(List<Layer> layers, Origin origin) {
    long total = 0;
    for (Layer layer : layers) {
      for (Layer.Weight weight : layer.weights()) {
        total += origin.bytes(weight);
      }
    }
    return total;
  }

  private static BackendChooser.Choice profiled(
      BackendChooser.Choice choice, ModelOptions options) {
    return options.opListener().isPresent()
        ? new BackendChooser.Choice(
            new ProfiledBackend(choice.backend(), options.opListener().get()), choice.info())
        : choice;
  }

  @Override
  public ModelConfig readConfig(Path path) {
    if (GgufFile.isGguf(path)) {
      try (GgufFile file = GgufFile.open(path)) {
        return file.config();
      }
    }
    return ConfigReader.read(configFile(path));
  }

  @Override
  public Tokenizer loadTokenizer(Path path, TokenizerOptions options) {
    return TokenizerFiles.load(path, options);
  }

  private static Path configFile(Path path) {
    if (!Files.exists(path)) {
      throw new FormatException(
          path, "there is no such file or folder; expected a folder with " + CONFIG);
    }
    if (!Files.isDirectory(path)) {
      return path;
    }
    Path file = path.resolve(CONFIG);
    if (!Files.exists(file)) {
      throw new FormatException(
          path, "there is no " + CONFIG + " in it; expected a folder as Hugging Face publishes it");
    }
    return file;
  }

  private static Opened openFolder(Path path, ModelOptions options) {
    Path file = configFile(path);
    if (!Files.isDirectory(path)) {
      throw new FormatException(
          path,
          "expected a folder with "
              + CONFIG
              + " and safetensors weights, or a .gguf file; name the folder that holds this file");
    }
    ModelConfig config = ConfigReader.read(file);
    Background<Optional<Tokenizer>> tokenizer =
        Background.start("llama-tokenizer", () -> tokenizer(path, options));
    TensorSource tensors = Checkpoint.open(path);
    return new Opened(path, config, tokenizer::result, path, tensors.pairing(), tensors);
  }

  private static Opened openGguf(Path path, ModelOptions options) {
    GgufFile file = GgufFile.open(path);
    try {
      ModelConfig config = file.config();
      Background<Optional<Tokenizer>> tokenizer =
          Background.start("llama-tokenizer", () -> tokenizer(path, file, options));
      return new Opened(path, config, tokenizer::result, null, file.pairing(), file);
    } catch (RuntimeException | Error e) {
      closeQuietly(file);
      throw e;
    }
  }

  private static Optional<Tokenizer> tokenizer(Path path, GgufFile file, ModelOptions options) {
    return options.tokenizer().isPresent() || !hasVocabulary(file)
        ? options.tokenizer()
        : Optional.of(TokenizerFiles.fromGguf(path, file.metadata(), TokenizerOptions.defaults()));
  }

  /** Files without a vocabulary say so, because llama.cpp insists on the key. */
  private static boolean hasVocabulary(GgufFile file) {
    Object kind = file.metadata().get("tokenizer.ggml.model");
    return kind != null && !kind.equals("none") && !kind.equals("no_vocab");
  }

  private static Optional<Tokenizer> tokenizer(Path folder, ModelOptions options) {
    return options.tokenizer().isPresent()
        ? options.tokenizer()
        : TokenizerFiles.find(folder, TokenizerOptions.defaults());
  }

  /** Puts together what belongs to a model besides its weights. */
  private static LoadedModel.Parts parts(Opened opened) {
    ModelConfig config = opened.config;
    Set<Integer> stopIds = new LinkedHashSet<>(config.eosTokenIds());
    GenerationOptions defaults = GenerationOptions.defaults();
    Optional<GenerationConfig> generation =
        opened.folder == null ? Optional.empty() : GenerationConfigReader.find(opened.folder);
    if (generation.isPresent()) {
      stopIds.addAll(generation.get().eosTokenIds());
      defaults = generation.get().apply(defaults);
    }
    Optional<Tokenizer> tokenizer = opened.tokenizer.get();
    if (tokenizer.isPresent()) {
      stopIds.addAll(tokenizer.get().stopIds());
      int ids = tokenizer.get().vocabularySize();
      if (ids > config.vocabSize()) {
        log()
            .warn(
                "{}: the tokenizer has {} ids, the model only {}; text that needs the others is"
                    + " refused",
                opened.path,
                ids,
                config.vocabSize());
      }
    }
    return new LoadedModel.Parts(
        opened.path, config, tokenizer, defaults, Set.copyOf(stopIds), opened.pairing);
  }

  private static void requireSupported(
      Path path, Backend backend, List<Layer> layers, Map<String, TensorData> tensors) {
    Set<String> refused = new LinkedHashSet<>();
    for (Layer layer : layers) {
      for (Layer.Weight weight : layer.weights()) {
        DType type = tensors.get(weight.name()).type();
        if (weight.shape().size() == 2 && !backend.supports(type)) {
          refused.add(type.name());
        }
      }
    }
    if (!refused.isEmpty()) {
      throw new BackendException(
          path
              + ": backend "
              + backend.description()
              + " has no kernels for weights of type "
              + String.join(", ", refused)
              + "; choose another backend, or convert the file");
    }
  }

  /** Closes what need not be waited for; a failure to close changes nothing for the caller. */
  static void closeQuietly(AutoCloseable resource) {
    try {
      if (resource != null) {
        resource.close();
      }
    } catch (Exception e) {
      log().debug("closing failed", e);
    }
  }

  /**
   * What is known before the weights are on a backend.
   *
   * @param path the model, for messages
   * @param tokenizer waits for it
   * @param folder where generation_config.json may be, or null
   * @param files null for a model that has no weights in files
   */
  private record Opened(
      Path path,
      ModelConfig config,
      Supplier<Optional<Tokenizer>> tokenizer,
      Path folder,
      RopeTable.Pairing pairing,
      TensorSource files) {}

  /** Not a field: what logs nothing need not start the logging of the application. */
  private static Logger log() {
    return LoggerFactory.getLogger(CoreModelLoader.class);
  }
}
