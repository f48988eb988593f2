package dev.llama.train;

import dev.llama.core.files.SafetensorsFile;
import dev.llama.core.json.Json;
import dev.llama.spi.TensorData;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;

/** Reference data beside the checkout; tests that need it are skipped where it is absent. */
final class Fixtures {
  private static final String ROOT = System.getProperty("llama.fixtures", "");

  private Fixtures() {}

  static Path path(String name) {
    Assumptions.assumeTrue(
        !ROOT.isEmpty() && Files.isDirectory(Path.of(ROOT)), "no fixtures in " + ROOT);
    return Path.of(ROOT).resolve(name);
  }

  static Map<String, Object> json(String name) {
    return Json.readObject(path(name), 100_000_000);
  }

  /** All tensors of a safetensors file, F32, by name. */
  static Map<String, float[]> floats(Path file) {
    Map<String, float[]> values = new LinkedHashMap<>();
    try (SafetensorsFile tensors = SafetensorsFile.open(file)) {
      tensors
          .tensors()
          .forEach(
              (name, data) -> {
                float[] floats = new float[(int) data.byteSize() / Float.BYTES];
                bytes(data).asFloatBuffer().get(floats);
                values.put(name, floats);
              });
    }
    return values;
  }

  /** One tensor of a safetensors file, I32. */
  static int[] ints(Path file, String name) {
    try (SafetensorsFile tensors = SafetensorsFile.open(file)) {
      TensorData data = tensors.tensors().get(name);
      int[] ints = new int[(int) data.byteSize() / Integer.BYTES];
      bytes(data).asIntBuffer().get(ints);
      return ints;
    }
  }

  private static ByteBuffer bytes(TensorData data) {
    return data.bytes(0, (int) data.byteSize()).order(ByteOrder.LITTLE_ENDIAN);
  }
}
