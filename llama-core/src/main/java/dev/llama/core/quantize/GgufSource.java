package dev.llama.core.quantize;

import dev.llama.ModelConfig;
import dev.llama.core.files.GgufFile;
import dev.llama.core.files.GgufNames;
import dev.llama.core.files.GgufWriter;
import dev.llama.core.files.WeightCheck;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A GGUF file; all metadata are taken over as they are stored. */
final class GgufSource implements Source {
  private final GgufFile file;
  private final ModelConfig config;
  private final List<Item> items = new ArrayList<>();

  private GgufSource(GgufFile file) {
    this.file = file;
    config = file.config();
    WeightCheck.check(file.path(), config.layers(), file);
    file.tensors()
        .forEach(
            (name, tensor) ->
                items.add(new Item(name.equals(tensor.name()) ? ggufName(name) : name, tensor, 0)));
  }

  /** Opens a file. */
  static Source open(Path path) {
    GgufFile file = GgufFile.open(path);
    try {
      return new GgufSource(file);
    } catch (RuntimeException | Error e) {
      file.close();
      throw e;
    }
  }

  /** Tensors that are no weights, such as rotary factors, keep their names. */
  private static String ggufName(String name) {
    return name.startsWith("rope_") ? name : GgufNames.toGgufName(name);
  }

  @Override
  public Path path() {
    return file.path();
  }

  @Override
  public ModelConfig config() {
    return config;
  }

  @Override
  public void describe(GgufWriter writer) {
    for (String key : file.metadata().keySet()) {
      if (!key.startsWith("split.")) {
        writer.copy(file, key);
      }
    }
    if (file.metadata().get("general.alignment") instanceof Long alignment) {
      writer.align(Math.toIntExact(alignment));
    }
  }

  @Override
  public List<Item> items() {
    return items;
  }

  @Override
  public void close() {
    file.close();
  }
}
