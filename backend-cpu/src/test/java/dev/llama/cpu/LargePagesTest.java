package dev.llama.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Memory from the operating system: zeros, aligned, within the JVM's limit, given back. */
@Timeout(60)
class LargePagesTest {
  private static final int PAGE = 2 << 20;
  private static final int PART = 256 << 20;

  private final LargePages pages = new LargePages();

  @BeforeAll
  static void load() {
    NativeLibrary.load();
    long probe = NativeKernels.map(PAGE);
    assumeTrue(probe != 0, "Linux alone");
    NativeKernels.unmap(probe, PAGE);
  }

  @Test
  void memoryIsZeroAndBeginsWithALargePage() {
    int bytes = PAGE + 1000;
    ByteBuffer buffer = pages.allocate(bytes);
    assertEquals(bytes, buffer.capacity());
    assertEquals(0, NativeLibrary.address(buffer) % PAGE);
    for (int i = 0; i < bytes; i++) {
      assertEquals(0, buffer.get(i));
      buffer.put(i, (byte) i);
    }
    assertEquals((byte) (bytes - 1), buffer.get(bytes - 1));
  }

  @Test
  void littleComesFromTheJvm() {
    pages.allocate(PAGE - 1);
    assertEquals(0, pages.mappedBytes());
  }

  /** A slice is what the backend keeps; the memory must not go while there is one. */
  @Test
  void itIsGivenBackWhenNothingRefersToIt() throws InterruptedException {
    ByteBuffer slice = pages.allocate(PAGE).slice(1, 1);
    for (int i = 0; i < 3; i++) {
      System.gc();
      Thread.sleep(10);
    }
    assertEquals(PAGE, pages.mappedBytes());
    slice.put(0, (byte) 1);
    slice = null;
    while (pages.mappedBytes() > 0) { // until the time is out
      System.gc();
      Thread.sleep(10);
    }
  }

  @Test
  void theLimitIsTheJvms() {
    List<ByteBuffer> taken = new ArrayList<>(); // nothing is written: no page is made
    OutOfMemoryError e =
        assertThrows(
            OutOfMemoryError.class,
            () -> {
              while (true) {
                taken.add(pages.allocate(PART));
              }
            });
    assertTrue(e.getMessage().contains("bytes are in use in large pages"), e.getMessage());
    assertTrue((long) taken.size() * PART <= Runtime.getRuntime().maxMemory());
    assertTrue(taken.size() > 0);
    taken.remove(taken.size() - 1);
    taken.add(pages.allocate(PART)); // found by looking for what nothing refers to
  }
}
