package dev.llama.tests;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** Writes a checkpoint whose weights are given by a formula (recipe.json) instead of a file. */
final class RecipeModel {
  private RecipeModel() {}

  /** Writes config.json and model.safetensors into a folder, and returns it. */
  static Path write(Path source, Path folder) {
    JsonObject recipe = Fixtures.json(source.resolve("recipe.json"));
    long seed = recipe.get("seed").getAsLong();
    JsonObject tensors = recipe.getAsJsonObject("tensors");
    Map<String, long[]> shapes = new LinkedHashMap<>();
    for (Map.Entry<String, JsonElement> tensor : tensors.entrySet()) {
      shapes.put(
          tensor.getKey(),
          java.util.Arrays.stream(
                  Fixtures.ints(tensor.getValue().getAsJsonObject().getAsJsonArray("shape")))
              .asLongStream()
              .toArray());
    }
    try {
      Files.copy(source.resolve("config.json"), folder.resolve("config.json"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    Safetensors.write(
        folder.resolve("model.safetensors"),
        shapes,
        (name, elements) -> values(name, tensors.getAsJsonObject(name), seed, elements));
    return folder;
  }

  private static float[] values(String name, JsonObject tensor, long seed, int elements) {
    long state = 0xCBF29CE484222325L;
    for (byte b : name.getBytes(StandardCharsets.UTF_8)) {
      state = (state ^ (b & 0xFF)) * 0x100000001B3L;
    }
    state ^= seed;
    float scale = tensor.get("scale").getAsFloat();
    float offset = tensor.get("offset").getAsFloat();
    float[] values = new float[elements];
    for (int i = 0; i < elements; i++) {
      long z = state + (i + 1L) * 0x9E3779B97F4A7C15L;
      z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
      z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
      z = z ^ (z >>> 31);
      float u = ((z >>> 40) - 8388608L) * 0x1p-23f;
      values[i] = u * scale + offset;
    }
    return values;
  }
}
