package dev.llama.core.files;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.DType;
import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.spi.RopeTable;
import dev.llama.spi.TensorData;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Safetensors are read as they are, and every broken header ends in a FormatException. */
class SafetensorsFileTest {
  private static final String TWO =
      "{\"__metadata__\":{\"format\":\"pt\"},"
          + "\"b\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[4,28]},"
          + "\"a\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[0,4]}}";

  @TempDir Path folder;

  @Test
  void readsNamesTypesShapesAndBytes() throws IOException {
    Path path = write("two", TWO, new byte[28]);
    SparseFiles.write(path, 8 + TWO.length() + 4, (byte) 0, (byte) 0, (byte) 0x80, (byte) 0x3F);
    try (SafetensorsFile file = SafetensorsFile.open(path)) {
      assertEquals(path, file.path());
      assertEquals(List.of("b", "a"), List.copyOf(file.tensors().keySet()));
      TensorData b = file.find("b").orElseThrow();
      assertEquals("b", b.name());
      assertEquals(DType.F32, b.type());
      assertArrayEquals(new long[] {2, 3}, b.shape());
      assertEquals(24, b.byteSize());
      assertEquals(1f, b.bytes(0, 24).getFloat());
      assertEquals(0, b.bytes(24, 0).remaining());
      assertThrows(InvalidInputException.class, () -> b.bytes(21, 4));
      assertThrows(InvalidInputException.class, () -> b.bytes(-1, 4));
      assertEquals(28, file.byteSize());
      assertEquals(RopeTable.Pairing.HALVES, file.pairing());
      assertFalse(file.find("c").isPresent());
      assertThrows(UnsupportedOperationException.class, () -> file.tensors().clear());
    }
  }

  @Test
  void closedFileGivesNoBytes() throws IOException {
    SafetensorsFile file = SafetensorsFile.open(write("two", TWO, new byte[28]));
    TensorData b = file.find("b").orElseThrow();
    file.close();
    file.close();
    assertThrows(InvalidInputException.class, () -> b.bytes(0, 4));
  }

  @ParameterizedTest
  @CsvSource({
    "F64, 8",
    "F32, 4",
    "F16, 2",
    "BF16, 2",
    "F8_E4M3, 1",
    "F8_E5M2, 1",
    "I64, 8",
    "I32, 4",
    "I16, 2",
    "I8, 1",
    "U64, 8",
    "U32, 4",
    "U16, 2",
    "U8, 1",
    "BOOL, 1"
  })
  void readsEveryType(DType type, int size) throws IOException {
    String header =
        "{\"t\":{\"dtype\":\"" + type + "\",\"shape\":[1],\"data_offsets\":[0," + size + "]}}";
    try (SafetensorsFile file = SafetensorsFile.open(write("t", header, new byte[size]))) {
      assertEquals(type, file.find("t").orElseThrow().type());
    }
  }

  @Test
  void refusesTypesThatNoLlamaHasByName() throws IOException {
    String header = "{\"t\":{\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[0,8]}}";
    String message = rejected(write("t", header, new byte[8]));
    assertTrue(message.contains("C64, which is not supported"), message);
  }

  @Test
  void messageNamesTensorFoundAndExpected() throws IOException {
    String message = rejected(write("short", TWO, new byte[20]));
    assertTrue(message.contains("tensor b ends at byte 28"), message);
    assertTrue(message.contains("the file has 20"), message);
  }

  /** A hostile name must not fill the log. */
  @Test
  void messageShortensLongNames() throws IOException {
    String name = "n".repeat(100_000);
    String header = "{\"" + name + "\":{\"dtype\":\"F99\",\"shape\":[1],\"data_offsets\":[0,8]}}";
    assertTrue(rejected(write("t", header, new byte[8])).length() < 2_000);
  }

  @Test
  void refusesTooManyDimensions() throws IOException {
    String shape = "1,".repeat(64) + "1";
    String header = "{\"t\":{\"dtype\":\"U8\",\"shape\":[" + shape + "],\"data_offsets\":[0,1]}}";
    String message = rejected(write("t", header, new byte[1]));
    assertTrue(message.contains("65 entries, expected at most 64"), message);
  }

  static List<Fixtures.Case> malformed() {
    return Fixtures.malformed("safetensors");
  }

  @ParameterizedTest
  @MethodSource("malformed")
  void malformedFilesAreRefusedAndControlsAccepted(Fixtures.Case file) {
    Malformed.check(file, () -> SafetensorsFile.open(file.path()).close());
  }

  /** A tensor beyond 2 GiB, and one behind it, are reached to the last byte. */
  @Test
  void readsTensorsBeyondTwoGigabytes() throws IOException {
    long big = 5L << 30;
    String header =
        "{\"big\":{\"dtype\":\"BF16\",\"shape\":["
            + big / 2
            + "],\"data_offsets\":[0,"
            + big
            + "]},\"last\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":["
            + big
            + ","
            + (big + 3)
            + "]}}";
    long dataStart = 8 + header.length();
    Path path = SparseFiles.create(folder.resolve("big"), dataStart + big + 3);
    SparseFiles.write(path, 0, bytes(header));
    SparseFiles.write(path, dataStart + big - 2, new byte[] {(byte) 0xC0, (byte) 0x3F, 7, 8, 9});
    try (SafetensorsFile file = SafetensorsFile.open(path)) {
      assertEquals(big + 3, file.byteSize());
      TensorData tensor = file.find("big").orElseThrow();
      assertEquals(0x3FC0, tensor.bytes(big - 2, 2).getShort());
      ByteBuffer tail = tensor.bytes(big - TensorData.MAX_SLICE, TensorData.MAX_SLICE);
      assertEquals(0x3FC0, tail.getShort(TensorData.MAX_SLICE - 2));
      assertEquals(0, tensor.bytes((1L << 31) - 3, 8).getLong());
      assertEquals(9, file.find("last").orElseThrow().bytes(2, 1).get());
      assertThrows(InvalidInputException.class, () -> tensor.bytes(big - 1, 2));
    }
  }

  /** Whatever byte changes, the file is read or refused, and what is read stays in bounds. */
  @Test
  void mutatedHeadersGiveSuccessOrFormatException() throws IOException {
    byte[] valid = bytes(TWO);
    byte[] file = new byte[valid.length + 28];
    System.arraycopy(valid, 0, file, 0, valid.length);
    Mutations.run(
        folder.resolve("mutated"),
        file,
        valid.length,
        5_000,
        new Random(1),
        path -> {
          try (SafetensorsFile opened = SafetensorsFile.open(path)) {
            Malformed.touchEveryTensor(opened);
          }
        });
  }

  private static String rejected(Path path) {
    FormatException e = assertThrows(FormatException.class, () -> SafetensorsFile.open(path));
    assertEquals(path, e.file());
    return e.getMessage();
  }

  private Path write(String name, String header, byte[] data) throws IOException {
    byte[] head = bytes(header);
    byte[] file = new byte[head.length + data.length];
    System.arraycopy(head, 0, file, 0, head.length);
    System.arraycopy(data, 0, file, head.length, data.length);
    return Files.write(folder.resolve(name), file);
  }

  /** The length field and the header. */
  private static byte[] bytes(String header) {
    byte[] json = header.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(8 + json.length)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(json.length)
        .put(json)
        .array();
  }
}
