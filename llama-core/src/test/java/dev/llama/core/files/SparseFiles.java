package dev.llama.core.files;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Assumptions;

/** Large files that take no space, on file systems that can. */
final class SparseFiles {
  private static final long MAX_DENSE = 1 << 20;

  private SparseFiles() {}

  /** Creates a file of zeros; the test is skipped where that would write them all. */
  static Path create(Path path, long size) throws IOException {
    if (size > MAX_DENSE) {
      Assumptions.assumeFalse(
          System.getProperty("os.name").startsWith("Windows"),
          "NTFS would write every zero before the last byte");
    }
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(size);
    } catch (IOException e) {
      Assumptions.abort("no room for a sparse file of " + size + " bytes: " + e.getMessage());
    }
    return path;
  }

  static void write(Path path, long offset, byte... bytes) throws IOException {
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
      channel.write(ByteBuffer.wrap(bytes), offset);
    }
  }
}
