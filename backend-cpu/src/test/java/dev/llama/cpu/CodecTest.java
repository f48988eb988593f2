package dev.llama.cpu;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.llama.DType;
import dev.llama.cpu.PlainCodecs.PairCodec;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Stored numbers are read as the formats say, wherever decoding starts. */
class CodecTest {
  private static final Pattern TENSOR =
      Pattern.compile(
          "\"type\":\\s*\"(\\w+)\",\\s*\"shape\":\\s*\\[([^]]*)],\\s*\"bytes\":\\s*(\\d+),\\s*"
              + "\"offset\":\\s*(\\d+),\\s*\"first\":\\s*\\[([^]]*)],\\s*\"last\":\\s*\\[([^]]*)],"
              + "\\s*\"sum\":\\s*([-+.e\\d]+),\\s*\"sum_abs\":\\s*([-+.e\\d]+)");

  private static ByteBuffer direct(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  @Test
  void knowsTheFormatsOfWeights() {
    for (DType type : DType.values()) {
      boolean computed =
          type.isQuantized() || type == DType.F32 || type == DType.F16 || type == DType.BF16;
      if (computed) {
        assertNotNull(Codec.of(type), type.name());
      } else {
        assertNull(Codec.of(type), type.name());
      }
    }
  }

  @ParameterizedTest
  @EnumSource(
      names = {"F32", "F16", "BF16", "Q.*"},
      mode = EnumSource.Mode.MATCH_ANY)
  void decodingInPiecesIsDecodingAtOnce(DType type) {
    Codec codec = Codec.of(type);
    int count = 2 * Codec.CHUNK;
    ByteBuffer buffer = direct((int) type.bytes(count));
    byte[] noise = new byte[buffer.capacity()];
    new Random(type.ordinal()).nextBytes(noise);
    buffer.put(0, noise);
    Segment segment = new Segment(buffer);
    Scratch scratch = new Scratch();
    float[] whole = new float[count];
    codec.decode(segment, 0, count, whole, 0, scratch);
    float[] pieces = new float[count];
    int step = 256;
    for (int i = 0; i < count; i += step) {
      codec.decode(segment, (int) type.bytes(i), step, pieces, i, scratch);
    }
    assertArrayEquals(whole, pieces);
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void pairsAreTheSameNumbersInAnotherOrder(boolean half) {
    PairCodec codec = half ? PlainCodecs.F16 : PlainCodecs.BF16;
    ByteBuffer buffer = direct(0x20000);
    for (int i = 0; i < 0x10000; i++) {
      buffer.putShort(2 * i, (short) i);
    }
    Segment segment = new Segment(buffer);
    Scratch scratch = new Scratch();
    float[] ordered = new float[Codec.CHUNK];
    float[] expected = new float[Codec.CHUNK];
    float[] split = new float[Codec.CHUNK];
    for (int i = 0; i < 0x10000; i += Codec.CHUNK) {
      codec.decode(segment, 2 * i, Codec.CHUNK, ordered, 0, scratch);
      PairCodec.split(ordered, expected);
      codec.decodeSplit(segment, 2 * i, split, scratch);
      assertArrayEquals(expected, split, "from " + i);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"gguf", "stories260K/gguf"})
  void quantisedFilesDequantiseAsGgufDoes(String folder) throws IOException {
    Path path = Path.of(System.getProperty("llama.fixtures", "absent"), folder);
    assumeTrue(Files.isDirectory(path), "no fixtures at " + path);
    String json = Files.readString(path.resolve("expected.json"));
    String[] perFile = json.split("(?=\"[\\w.-]+\\.gguf\":)");
    int tensors = 0;
    for (int i = 1; i < perFile.length; i++) {
      String file = perFile[i].substring(1, perFile[i].indexOf(".gguf") + 5);
      byte[] bytes = Files.readAllBytes(path.resolve(file));
      Matcher matcher = TENSOR.matcher(perFile[i]);
      while (matcher.find()) {
        checkTensor(file, bytes, matcher);
        tensors++;
      }
    }
    assertTrue(tensors >= 60, "found " + tensors + " tensors");
  }

  private static void checkTensor(String file, byte[] bytes, Matcher matcher) {
    DType type = DType.valueOf(matcher.group(1));
    int count = 1;
    for (String size : matcher.group(2).split(",")) {
      count *= Integer.parseInt(size.trim());
    }
    int stored = Integer.parseInt(matcher.group(3));
    ByteBuffer buffer = direct(stored);
    buffer.put(0, bytes, Integer.parseInt(matcher.group(4)), stored);
    float[] values = new float[count];
    Codec.of(type).decode(new Segment(buffer), 0, count, values, 0, new Scratch());
    String[] first = matcher.group(5).split(",");
    String[] last = matcher.group(6).split(",");
    for (int i = 0; i < first.length; i++) {
      assertEquals(Float.parseFloat(first[i]), values[i], 1e-7f, file + " first " + i);
      int end = count - last.length + i;
      assertEquals(Float.parseFloat(last[i]), values[end], 1e-7f, file + " last " + i);
    }
    double sum = 0;
    double absolute = 0;
    for (float value : values) {
      sum += value;
      absolute += Math.abs(value);
    }
    double expectedAbsolute = Double.parseDouble(matcher.group(8));
    assertEquals(Double.parseDouble(matcher.group(7)), sum, 1e-6 * expectedAbsolute, file);
    assertEquals(expectedAbsolute, absolute, 1e-6 * expectedAbsolute, file);
  }
}
