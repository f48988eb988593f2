package dev.llama.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import dev.llama.Model;
import dev.llama.ModelOptions;
import dev.llama.Session;
import dev.llama.SessionOptions;
import dev.llama.core.files.SafetensorsFile;
import dev.llama.core.files.TensorSource;
import dev.llama.spi.TensorData;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every variation of the architecture gives the reference's logits, best tokens and continuations,
 * on every tier of the CPU backend, on the emulated GPU, and however the prompt is cut into chunks.
 */
class ModelGoldensTest {
  private static final Set<String> SIXTEEN_BITS = Set.of("bf16", "f16");

  @TempDir Path temporary;

  static List<Arguments> modelsAndBackends() {
    JsonObject index = Fixtures.json(Fixtures.path("models/index.json"));
    List<Arguments> arguments = new ArrayList<>();
    for (JsonElement model : index.getAsJsonArray("models")) {
      arguments.add(Arguments.of(model.getAsString(), "cpu:reference"));
      arguments.add(Arguments.of(model.getAsString(), "cpu:openblas"));
      arguments.add(Arguments.of(model.getAsString(), "cpu:native"));
      arguments.add(Arguments.of(model.getAsString(), Fixtures.CUDA));
    }
    return arguments;
  }

  @ParameterizedTest
  @MethodSource("modelsAndBackends")
  void logitsAndContinuations(String name, String backend) {
    Fixtures.requireDevice(backend);
    Path folder = Fixtures.path("models/" + name);
    JsonObject expected = Fixtures.json(folder.resolve("expected.json"));
    double tolerance = expected.getAsJsonObject("tolerance").get("logits_abs").getAsDouble();
    Path weights = name.equals("tiny-nucleotide") ? RecipeModel.write(folder, temporary) : folder;
    try (Model model = Model.load(weights, ModelOptions.defaults().backend(backend))) {
      assertEquals(expected.get("parameters").getAsLong(), model.config().parameterCount());
      if (backend.equals(Fixtures.CUDA)) {
        // Once is enough on an emulator. Matrix units round activations to the 16 bits of the
        // weights; few rows are computed without them.
        Goldens.check(model, expected, tolerance, SIXTEEN_BITS.contains(name) ? 8 : 512);
        return;
      }
      Goldens.check(model, expected, tolerance, 512);
      Goldens.check(model, expected, tolerance, 7);
      compareArrays(model, folder, expected, tolerance);
    }
  }

  /** Logits at every position of the short sequence and at the end of the long one. */
  private static void compareArrays(
      Model model, Path folder, JsonObject expected, double tolerance) {
    try (TensorSource arrays =
        SafetensorsFile.open(folder.resolve("expected/arrays.safetensors"))) {
      for (JsonElement element : expected.getAsJsonArray("sequences")) {
        JsonObject sequence = element.getAsJsonObject();
        String name = sequence.get("name").getAsString();
        int[] ids = Fixtures.ints(sequence.getAsJsonArray("ids"));
        TensorData array =
            arrays.find(name + (name.equals("short") ? ".logits" : ".last8_logits")).orElseThrow();
        int rows = (int) array.shape()[0];
        int width = (int) array.shape()[1];
        int context = Math.min(ids.length, model.config().longestContext());
        try (Session session = model.newSession(SessionOptions.defaults().contextSize(context))) {
          session.append(
              ids,
              (position, logits) -> {
                int row = position - (ids.length - rows);
                if (row >= 0) {
                  Goldens.assertClose(
                      row(array, row, width), logits, tolerance, name + " at " + position);
                }
              });
        }
      }
    }
  }

  private static float[] row(TensorData array, int row, int width) {
    ByteBuffer bytes = array.bytes((long) row * width * Float.BYTES, width * Float.BYTES);
    float[] values = new float[width];
    bytes.asFloatBuffer().get(values);
    return values;
  }
}
