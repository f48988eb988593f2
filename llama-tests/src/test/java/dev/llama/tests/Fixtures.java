package dev.llama.tests;

import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.llama.cuda.Emulator;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Assumptions;

/** The reference data beside the checkout; tests that need it are skipped where it is absent. */
final class Fixtures {
  /** The backend that runs on the emulated GPU. */
  static final String CUDA = "cuda";

  private Fixtures() {}

  /** Skips a test whose backend's device can neither be had nor emulated. */
  static void requireDevice(String backend) {
    if (backend.equals(CUDA)) {
      Emulator.require();
    }
  }

  static Path path(String name) {
    Path path =
        Path.of(System.getProperty("llama.fixtures", "../../shared/fixtures")).resolve(name);
    Assumptions.assumeTrue(Files.exists(path), () -> "no reference data at " + path);
    return path;
  }

  static JsonObject json(Path file) {
    try (Reader reader = Files.newBufferedReader(file)) {
      return new Gson().fromJson(reader, JsonObject.class);
    } catch (IOException e) {
      throw new java.io.UncheckedIOException(e);
    }
  }

  static int[] ints(JsonArray array) {
    int[] ints = new int[array.size()];
    for (int i = 0; i < ints.length; i++) {
      ints[i] = array.get(i).getAsInt();
    }
    return ints;
  }

  static float[] floats(JsonArray array) {
    float[] floats = new float[array.size()];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = array.get(i).getAsFloat();
    }
    return floats;
  }
}
