package dev.llama.tests;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.BiFunction;

/** Writes small F32 checkpoints for tests. */
final class Safetensors {
  private Safetensors() {}

  /**
   * Writes a file.
   *
   * @param shapes of the tensors by name, in order
   * @param values makes the elements of a tensor, given its name and size
   */
  static void write(
      Path file, Map<String, long[]> shapes, BiFunction<String, Integer, float[]> values) {
    JsonObject header = new JsonObject();
    long offset = 0;
    for (Map.Entry<String, long[]> tensor : shapes.entrySet()) {
      JsonArray shape = new JsonArray();
      for (long size : tensor.getValue()) {
        shape.add(size);
      }
      JsonArray range = new JsonArray();
      range.add(offset);
      offset += 4L * elements(tensor.getValue());
      range.add(offset);
      JsonObject described = new JsonObject();
      described.addProperty("dtype", "F32");
      described.add("shape", shape);
      described.add("data_offsets", range);
      header.add(tensor.getKey(), described);
    }
    byte[] json = header.toString().getBytes(StandardCharsets.UTF_8);
    try (OutputStream out = Files.newOutputStream(file)) {
      out.write(littleEndian(8).putLong(json.length).array());
      out.write(json);
      for (Map.Entry<String, long[]> tensor : shapes.entrySet()) {
        ByteBuffer bytes = littleEndian(4 * elements(tensor.getValue()));
        bytes.asFloatBuffer().put(values.apply(tensor.getKey(), elements(tensor.getValue())));
        out.write(bytes.array());
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static int elements(long[] shape) {
    long product = 1;
    for (long size : shape) {
      product *= size;
    }
    return Math.toIntExact(product);
  }

  private static ByteBuffer littleEndian(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }
}
