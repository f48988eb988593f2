package dev.llama.train;

import dev.llama.DType;
import dev.llama.TrainingException;
import dev.llama.core.json.Json;
import dev.llama.spi.Tensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * Writes tensors of a backend to a safetensors file. Refuses what is not a number, so that a file
 * that exists is good.
 */
final class SafetensorsWriter {
  private final HostCopies copies;

  SafetensorsWriter(HostCopies copies) {
    this.copies = copies;
  }

  /**
   * Writes a file, and waits until it is on the disk.
   *
   * @param file to be created; must not exist
   * @param tensors F32, by name
   * @param type F32, BF16 or F16, to which the elements are rounded
   * @throws IOException if the file cannot be written
   * @throws TrainingException if an element is not finite, or not within the range of {@code type}
   */
  void write(Path file, Map<String, Tensor> tensors, DType type) throws IOException {
    try (FileChannel out =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
      writeFully(out, header(tensors, type));
      for (Map.Entry<String, Tensor> tensor : tensors.entrySet()) {
        copies.read(
            tensor.getValue(), floats -> writeFully(out, rounded(tensor.getKey(), floats, type)));
      }
      out.force(true);
    }
  }

  private static ByteBuffer header(Map<String, Tensor> tensors, DType type) {
    Map<String, Object> header = new LinkedHashMap<>();
    header.put("__metadata__", Map.of("format", "pt")); // transformers demands it
    long start = 0;
    for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
      Tensor tensor = entry.getValue();
      long end = start + type.bytes(tensor.rows() * tensor.width());
      Map<String, Object> description = new LinkedHashMap<>();
      description.put("dtype", type.name());
      description.put("shape", Arrays.stream(tensor.shape()).boxed().collect(Collectors.toList()));
      description.put("data_offsets", new ArrayList<>(List.of(start, end)));
      header.put(entry.getKey(), description);
      start = end;
    }
    byte[] json = Json.write(header).getBytes(StandardCharsets.UTF_8);
    int padding = -json.length & Long.BYTES - 1; // the data begin at a multiple of eight
    ByteBuffer bytes =
        ByteBuffer.allocate(Long.BYTES + json.length + padding).order(ByteOrder.LITTLE_ENDIAN);
    bytes.putLong(json.length + padding).put(json);
    while (bytes.hasRemaining()) {
      bytes.put((byte) ' ');
    }
    return bytes.flip();
  }

  /** Rounds in place: no type is wider than F32. */
  private static ByteBuffer rounded(String name, ByteBuffer floats, DType type) {
    ByteBuffer out = floats.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    while (floats.hasRemaining()) {
      float value = floats.getFloat();
      requireFinite(name, value, value, type);
      switch (type) {
        case F32 -> out.putFloat(value);
        case BF16 -> {
          short bits = HalfFloats.toBf16(value);
          requireFinite(name, value, HalfFloats.fromBf16(bits), type);
          out.putShort(bits);
        }
        case F16 -> {
          short bits = HalfFloats.toF16(value);
          requireFinite(name, value, HalfFloats.fromF16(bits), type);
          out.putShort(bits);
        }
        default -> throw new IllegalStateException("unchecked type " + type);
      }
    }
    return out.flip();
  }

  private static void requireFinite(String name, float value, float stored, DType type) {
    if (!Float.isFinite(stored)) {
      throw new TrainingException(
          name
              + " holds "
              + value
              + ", expected finite numbers within the range of "
              + type
              + (Float.isFinite(value)
                  ? "; save as BF16 or F32"
                  : "; training has diverged: lower the learning rate or the clipping"));
    }
  }

  private static void writeFully(FileChannel out, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      out.write(bytes);
    }
  }
}
