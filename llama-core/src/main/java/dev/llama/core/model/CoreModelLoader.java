package dev.llama.core.model;

import dev.llama.BackendException;
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
import java.util.function.Function;
import java.util.function.ToLongFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Opens folders of Hugging Face checkpoints and GGUF files. Stateless. */
public final class CoreModelLoader implements ModelLoader {
  private static final Logger LOG = LoggerFactory.getLogger(CoreModelLoader.class);
  private static final String CONFIG = "config.json";

  /** What messages name in place of a file when there is none. */
  private static final Path NO_FILE = Paths.get("(model created from a ModelConfig)");

  /** Called by {@link java.util.ServiceLoader}. */
  public CoreModelLoader() {}

  @Override
  public Model load(Path path, ModelOptions options) {
    options.listener().progress(Phase.OPEN, 0, 0);
    Opened opened = GgufFile.isGguf(path) ? openGguf(path, options) : openFolder(path, options);
    Map<String, TensorData> tensors = opened.files.tensors();
    return assemble(
        opened,
        options,
        backend -> {
          requireSupported(path, backend, opened.parts.config(), tensors);
          return weight -> backend.load(tensors.get(weight.name()));
        },
        weight -> tensors.get(weight.name()).byteSize());
  }

  @Override
  public Model create(Path path, long seed, ModelOptions options) {
    options.listener().progress(Phase.OPEN, 0, 0);
    ModelConfig config = readConfig(path);
    Path folder = configFile(path).toAbsolutePath().getParent();
    return create(
        parts(path, config, tokenizer(folder, options), folder, RopeTable.Pairing.HALVES),
        seed,
        options);
  }

  @Override
  public Model create(ModelConfig config, long seed, ModelOptions options) {
    options.listener().progress(Phase.OPEN, 0, 0);
    return create(
        parts(NO_FILE, config, options.tokenizer(), null, RopeTable.Pairing.HALVES), seed, options);
  }

  private static Model create(LoadedModel.Parts parts, long seed, ModelOptions options) {
    double range = parts.config().initializerRange();
    return assemble(
        new Opened(parts, null),
        options,
        backend -> new RandomWeights(backend, seed, range),
        weight -> Math.multiplyExact(weight.elements(), Float.BYTES));
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
      Function<Backend, Weights.Source> sources,
      ToLongFunction<Layer.Weight> byteSize) {
    BackendChooser.Choice choice = null;
    Weights weights = null;
    try {
      List<Layer> layers = opened.parts.config().layers();
      if (opened.files != null) {
        WeightCheck.check(opened.parts.path(), layers, opened.files);
      }
      choice = chosen(options);
      long total =
          layers.stream().flatMap(layer -> layer.weights().stream()).mapToLong(byteSize).sum();
      LoadListener listener = options.listener();
      listener.progress(Phase.WEIGHTS, 0, total);
      Weights.Source source = sources.apply(choice.backend());
      long[] done = new long[1];
      weights =
          Weights.load(
              layers,
              weight -> {
                Tensor tensor = source.tensor(weight);
                done[0] += byteSize.applyAsLong(weight);
                listener.progress(Phase.WEIGHTS, done[0], total);
                return tensor;
              });
      Model model = new LoadedModel(opened.parts, choice, opened.files, weights);
      listener.progress(Phase.READY, total, total);
      return model;
    } catch (RuntimeException | Error e) {
      closeQuietly(weights);
      closeQuietly(choice == null ? null : choice.backend());
      closeQuietly(opened.files);
      throw e;
    }
  }

  private static BackendChooser.Choice chosen(ModelOptions options) {
    BackendChooser.Choice choice = BackendChooser.choose(options);
    return options
        .opListener()
        .map(
            l -> new BackendChooser.Choice(new ProfiledBackend(choice.backend(), l), choice.info()))
        .orElse(choice);
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
    Optional<Tokenizer> tokenizer = tokenizer(path, options);
    TensorSource tensors = Checkpoint.open(path);
    return new Opened(parts(path, config, tokenizer, path, tensors.pairing()), tensors);
  }

  private static Opened openGguf(Path path, ModelOptions options) {
    GgufFile file = GgufFile.open(path);
    try {
      Optional<Tokenizer> tokenizer = options.tokenizer();
      if (!tokenizer.isPresent() && hasVocabulary(file)) {
        tokenizer =
            Optional.of(
                TokenizerFiles.fromGguf(path, file.metadata(), TokenizerOptions.defaults()));
      }
      return new Opened(parts(path, file.config(), tokenizer, null, file.pairing()), file);
    } catch (RuntimeException | Error e) {
      closeQuietly(file);
      throw e;
    }
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

  /**
   * Puts together what belongs to a model besides its weights.
   *
   * @param folder where generation_config.json may be, or {@code null}
   */
  private static LoadedModel.Parts parts(
      Path path,
      ModelConfig config,
      Optional<Tokenizer> tokenizer,
      Path folder,
      RopeTable.Pairing pairing) {
    Set<Integer> stopIds = new LinkedHashSet<>(config.eosTokenIds());
    GenerationOptions defaults = GenerationOptions.defaults();
    Optional<GenerationConfig> generation =
        folder == null ? Optional.empty() : GenerationConfigReader.find(folder);
    if (generation.isPresent()) {
      stopIds.addAll(generation.get().eosTokenIds());
      defaults = generation.get().apply(defaults);
    }
    tokenizer.ifPresent(
        t -> {
          stopIds.addAll(t.stopIds());
          if (t.vocabularySize() > config.vocabSize()) {
            LOG.warn(
                "{}: the tokenizer has {} ids, the model only {}; text that needs the others is"
                    + " refused",
                path,
                t.vocabularySize(),
                config.vocabSize());
          }
        });
    return new LoadedModel.Parts(path, config, tokenizer, defaults, Set.copyOf(stopIds), pairing);
  }

  private static void requireSupported(
      Path path, Backend backend, ModelConfig config, Map<String, TensorData> tensors) {
    Set<String> refused = new LinkedHashSet<>();
    config.layers().stream()
        .flatMap(layer -> layer.weights().stream())
        .filter(weight -> weight.shape().size() == 2)
        .map(weight -> tensors.get(weight.name()).type())
        .filter(type -> !backend.supports(type))
        .forEach(type -> refused.add(type.name()));
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
      LOG.debug("closing failed", e);
    }
  }

  /**
   * What is open before the weights are on a backend.
   *
   * @param files null for a model that has no weights in files
   */
  private record Opened(LoadedModel.Parts parts, TensorSource files) {}
}
