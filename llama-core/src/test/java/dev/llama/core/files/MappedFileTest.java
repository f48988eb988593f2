package dev.llama.core.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.spi.TensorData;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Any slice up to the limit can be had from a file of any size, and none outside it. */
class MappedFileTest {
  @TempDir Path folder;

  /** Around the ends of one mapping, of the stride, and of the second segment. */
  @ParameterizedTest
  @ValueSource(
      longs = {
        1L,
        (1L << 30) + 1,
        (1L << 31) - 1,
        1L << 31,
        (1L << 31) + 1,
        3 * (1L << 30) - 2,
        3 * (1L << 30) - 1,
        3 * (1L << 30),
        (5L << 30) + 12_345
      })
  void slicesReachEveryByteOfFilesOfAnySize(long size) throws IOException {
    Path path = SparseFiles.create(folder.resolve("sparse"), size);
    long[] marks = {0, size / 2, (1L << 30) - 1, 1L << 30, (1L << 31) - 1, 1L << 31, size - 1};
    for (long mark : marks) {
      if (mark < size) {
        SparseFiles.write(path, mark, (byte) (1 + mark % 101));
      }
    }
    try (MappedFile file = MappedFile.open(path)) {
      assertEquals(size, file.size());
      for (long mark : marks) {
        if (mark >= size) {
          continue;
        }
        byte expected = (byte) (1 + mark % 101);
        assertEquals(expected, file.slice(mark, 1).get());
        int length = (int) Math.min(TensorData.MAX_SLICE, size - mark);
        ByteBuffer from = file.slice(mark, length);
        assertEquals(length, from.remaining());
        assertEquals(expected, from.get(0));
        int before = (int) Math.min(TensorData.MAX_SLICE, mark + 1);
        assertEquals(expected, file.slice(mark + 1 - before, before).get(before - 1));
      }
    }
  }

  @Test
  void slicesAreReadOnlyLittleEndianAndDirect() throws IOException {
    Path path = Files.write(folder.resolve("file"), new byte[] {9, 1, 2, 0, 0, 9});
    try (MappedFile file = MappedFile.open(path)) {
      ByteBuffer slice = file.slice(1, 4);
      assertEquals(0x0201, slice.getInt());
      assertEquals(ByteOrder.LITTLE_ENDIAN, slice.order());
      assertEquals(4, slice.capacity());
      assertTrue(slice.isReadOnly() && slice.isDirect());
    }
  }

  @Test
  void refusesSlicesOutsideTheFile() throws IOException {
    Path path = Files.write(folder.resolve("file"), new byte[10]);
    try (MappedFile file = MappedFile.open(path)) {
      assertThrows(InvalidInputException.class, () -> file.slice(-1, 1));
      assertThrows(InvalidInputException.class, () -> file.slice(0, -1));
      assertThrows(InvalidInputException.class, () -> file.slice(10, 1));
      assertThrows(InvalidInputException.class, () -> file.slice(Long.MAX_VALUE, 1));
      assertEquals(0, file.slice(10, 0).remaining());
    }
  }

  @Test
  void emptyFileHasAnEmptySlice() throws IOException {
    Path path = Files.write(folder.resolve("file"), new byte[0]);
    try (MappedFile file = MappedFile.open(path)) {
      assertEquals(0, file.slice(0, 0).remaining());
    }
  }

  @Test
  void closedFileIsRefusedByName() throws IOException {
    Path path = Files.write(folder.resolve("file"), new byte[10]);
    MappedFile file = MappedFile.open(path);
    file.close();
    file.close();
    assertThrows(InvalidInputException.class, () -> file.slice(0, 1));
  }

  @Test
  void missingFileAndFolderAreNamed() {
    FormatException missing =
        assertThrows(FormatException.class, () -> MappedFile.open(folder.resolve("none")));
    assertTrue(missing.getMessage().contains("no such file"), missing.getMessage());
    FormatException directory = assertThrows(FormatException.class, () -> MappedFile.open(folder));
    assertTrue(directory.getMessage().contains("not a regular file"), directory.getMessage());
  }
}
