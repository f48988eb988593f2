package dev.llama.cli;

import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.LoadListener;
import dev.llama.Model;
import dev.llama.ModelConfig;
import dev.llama.ModelOptions;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.spi.ModelLoader;
import java.nio.file.Path;
import java.util.List;

/** Loads the fake model from any path but a few that fail. */
public final class FakeLoader implements ModelLoader {
  static ModelOptions lastOptions;
  static FakeModel lastModel;
  static boolean lastWasCreated;
  static String lastPreset;

  @Override
  public Model load(Path path, ModelOptions options) {
    fail(path);
    lastOptions = options;
    lastWasCreated = false;
    options.listener().progress(LoadListener.Phase.WEIGHTS, 1, 2);
    lastModel = new FakeModel();
    return lastModel;
  }

  @Override
  public Model create(Path config, long seed, ModelOptions options) {
    Model model = load(config, options);
    lastWasCreated = true;
    return model;
  }

  @Override
  public Model create(ModelConfig config, long seed, ModelOptions options) {
    return create(Path.of("preset"), seed, options);
  }

  @Override
  public ModelConfig preset(String name) {
    if (!presets().contains(name)) {
      throw new InvalidInputException("there is no preset " + name + ", only " + presets());
    }
    lastPreset = name;
    return FakeModel.configuration();
  }

  @Override
  public List<String> presets() {
    return List.of("small-1b", "src");
  }

  @Override
  public ModelConfig readConfig(Path path) {
    fail(path);
    return FakeModel.configuration();
  }

  @Override
  public Tokenizer loadTokenizer(Path path, TokenizerOptions options) {
    fail(path);
    return new FakeTokenizer();
  }

  private static void fail(Path path) {
    switch (path.toString()) {
      case "broken" -> throw new FormatException(path, "vocab_size is -1,\n expected 1 or more");
      case "bug" -> throw new IllegalStateException("no such luck");
      case "huge" -> throw new OutOfMemoryError("Java heap space");
      default -> {}
    }
  }
}
