package dev.llama.cli;

import com.google.gson.JsonElement;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import dev.llama.core.catalogue.LayerSpec;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;

/** Tells layer-specs from configurations: both are JSON files. */
final class LayerSpecs {
  /** Larger files are no layer-specs. */
  private static final long MAX_BYTES = 1 << 18;

  private LayerSpecs() {}

  /**
   * Reads the layer-spec at a path.
   *
   * @return empty if the path is something else
   * @throws dev.llama.FormatException if it is a layer-spec with a fault
   */
  static Optional<LayerSpec> at(Path path) {
    return isLayerSpec(path) ? Optional.of(LayerSpec.read(path)) : Optional.empty();
  }

  private static boolean isLayerSpec(Path path) {
    try {
      if (!Files.isRegularFile(path)
          || !path.toString().endsWith(".json")
          || Files.size(path) > MAX_BYTES) {
        return false;
      }
      JsonElement json =
          JsonParser.parseString(new String(Files.readAllBytes(path), StandardCharsets.UTF_8));
      return json.isJsonObject() && json.getAsJsonObject().has("hf_model_id");
    } catch (IOException | JsonParseException e) {
      return false; // whoever reads it as a configuration says what is wrong
    }
  }
}
