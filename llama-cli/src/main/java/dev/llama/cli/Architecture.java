package dev.llama.cli;

import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.Model;
import dev.llama.ModelConfig;
import dev.llama.ModelOptions;
import java.nio.file.Files;
import java.nio.file.Path;

/** The architecture that a user names: by a file or folder, or else by the name of a preset. */
final class Architecture {
  private Architecture() {}

  /** Reads the architecture. */
  static ModelConfig of(Path named) {
    if (isPreset(named)) {
      return ModelConfig.preset(named.toString());
    }
    try {
      return ModelConfig.read(named);
    } catch (FormatException e) {
      throw Files.exists(named) || !couldBePreset(named) ? e : neither(named, e);
    }
  }

  /** Creates a model with random weights. */
  static Model create(Path named, long seed, ModelOptions options) {
    return isPreset(named)
        ? Model.create(ModelConfig.preset(named.toString()), seed, options)
        : Model.create(named, seed, options);
  }

  private static boolean isPreset(Path named) {
    return !Files.exists(named) && ModelConfig.presets().contains(named.toString());
  }

  /** A path of several parts, or with the ending of a file, means a file. */
  private static boolean couldBePreset(Path named) {
    String name = named.toString();
    return named.getNameCount() == 1
        && !named.isAbsolute()
        && !name.endsWith(".json")
        && !name.endsWith(".gguf");
  }

  private static FormatException neither(Path named, FormatException e) {
    try {
      ModelConfig.preset(named.toString());
      return e;
    } catch (InvalidInputException unknown) {
      return new FormatException(
          named, "there is no such file or folder, and " + unknown.getMessage(), e);
    }
  }
}
