package dev.llama.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.llama.DType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Pages of mapped files are entered into the table of the process at once. */
class MappedPagesTest {
  private static final int BYTES = 8 << 20;

  @TempDir private Path folder;

  @BeforeAll
  static void load() {
    assumeTrue(Files.isReadable(Path.of("/proc/self/smaps")), "Linux alone");
    NativeLibrary.load();
  }

  private ByteBuffer map() throws IOException {
    Path file = Files.write(folder.resolve("weights"), new byte[BYTES]);
    try (FileChannel channel = FileChannel.open(file)) {
      return channel.map(FileChannel.MapMode.READ_ONLY, 0, BYTES);
    }
  }

  private boolean isHead(String line) throws IOException {
    return line.endsWith(folder.toRealPath().resolve("weights").toString());
  }

  /** Returns in how many ranges the operating system has the mapping. */
  private long ranges() throws IOException {
    long count = 0;
    for (String line : Files.readAllLines(Path.of("/proc/self/smaps"))) {
      count += isHead(line) ? 1 : 0;
    }
    return count;
  }

  /** Returns the bytes of the mapping that the process has in its table. */
  private long resident() throws IOException {
    List<String> lines = Files.readAllLines(Path.of("/proc/self/smaps"));
    long kilobytes = 0;
    boolean inside = false;
    for (String line : lines) {
      if (line.matches("[0-9a-f]+-[0-9a-f]+ .*")) {
        inside = isHead(line);
      } else if (inside && line.startsWith("Rss:")) {
        kilobytes += Long.parseLong(line.replaceAll("[^0-9]", ""));
      }
    }
    return kilobytes << 10;
  }

  @Test
  void pagesAreEnteredOnceAllWeightsAreThere() throws IOException {
    ByteBuffer mapped = map();
    MappedPages pages = new MappedPages();
    pages.prepare(matrix(mapped));
    assertEquals(0, resident(), "nothing has been read");
    pages.enter();
    assumeTrue(canPopulate(mapped), "Linux before 5.14");
    assertEquals(BYTES, resident());
  }

  /** A vector between two matrices would leave three ranges, and a small page at each end. */
  @Test
  void whatLiesBetweenTwoWeightsIsAskedForWithThem() throws IOException {
    ByteBuffer mapped = map();
    MappedPages pages = new MappedPages();
    pages.prepare(matrix(mapped.slice(0, 3 << 20)));
    pages.prepare(matrix(mapped.slice((3 << 20) + 8192, 4 << 20)));
    assertEquals(4, ranges());
    pages.enter();
    assertEquals(2, ranges(), "the weights, and what is behind them");
  }

  private static CpuTensor matrix(ByteBuffer stored) {
    long[] shape = {stored.capacity() >> 10, 1 << 8};
    Segment[] segments = {new Segment(stored)};
    return new CpuTensor(DType.F32, shape, new CpuTensor.Memory(segments, shape[0]));
  }

  private static boolean canPopulate(ByteBuffer mapped) {
    return NativeKernels.populate(NativeLibrary.address(mapped), 1) == 0;
  }

  @Test
  void aRangeNeedNotBeginOrEndWithAPage() throws IOException {
    ByteBuffer mapped = map();
    long start = NativeLibrary.address(mapped);
    assumeTrue(canPopulate(mapped), "Linux before 5.14");
    assertEquals(0, NativeKernels.populate(start + 1000, BYTES - 2000));
    assertEquals(BYTES, resident());
    assertEquals(0, mapped.get(0));
  }

  @Test
  void whatIsNotMappedIsAnAnswerAndNoCrash() {
    long nobodys = 1L << 46;
    assertTrue(NativeKernels.populate(nobodys, 1 << 20) < 0);
  }
}
