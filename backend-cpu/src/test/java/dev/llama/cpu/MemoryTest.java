package dev.llama.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.BackendException;
import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.Batch;
import dev.llama.spi.KvCache;
import dev.llama.spi.KvShape;
import dev.llama.spi.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Memory outside the heap is used again, and its lack is told, not suffered. */
class MemoryTest {
  private static final KvShape SHAPE = new KvShape(2, 3, 8, DType.F32, 1000);

  private CpuBackend backend;

  @BeforeEach
  void open() {
    backend =
        (CpuBackend) new CpuBackendProvider().open(new BackendOptions(Optional.of("reference"), 1));
  }

  @AfterEach
  void close() {
    backend.close();
  }

  private DirectMemory memory() {
    return backend.memory();
  }

  @Test
  void openingAndClosingInALoopTakesTheMemoryOfOne() {
    long all = -1;
    for (int i = 0; i < 100; i++) {
      try (KvCache cache = backend.newKvCache(SHAPE);
          Tensor x = backend.allocate(DType.F32, 16, 1000);
          Batch batch = backend.newBatch(100)) {
        cache.reserve(300);
        batch.clear();
        assertEquals(16, x.rows());
      }
      assertEquals(0, memory().usedBytes());
      if (all < 0) {
        all = memory().idleBytes();
      }
      assertEquals(all, memory().idleBytes());
    }
  }

  @Test
  void recycledMemoryIsZero() {
    ByteBuffer ones = ByteBuffer.allocate(4000).order(ByteOrder.LITTLE_ENDIAN);
    while (ones.hasRemaining()) {
      ones.putFloat(1f);
    }
    try (Tensor x = backend.allocate(DType.F32, 1000)) {
      backend.write(x, ones.flip());
    }
    try (Tensor x = backend.allocate(DType.F32, 1000)) {
      ByteBuffer read = ByteBuffer.allocate(4000).order(ByteOrder.LITTLE_ENDIAN);
      backend.read(x, read);
      for (int i = 0; i < 1000; i++) {
        assertEquals(0f, read.getFloat(4 * i));
      }
    }
  }

  @Test
  void forksShareTheirPagesUntilOneWrites() {
    KvCache cache = backend.newKvCache(SHAPE);
    cache.reserve(100); // two pages, the second in part
    long two = memory().usedBytes();
    assertEquals(cache.bytes(), two);
    KvCache fork = cache.fork();
    assertEquals(two, memory().usedBytes());
    fork.reserve(101);
    assertEquals(two + two / 2, memory().usedBytes(), "the shared second page is copied");
    cache.reserve(101);
    assertEquals(two + two / 2, memory().usedBytes(), "and is then the other's own");
    cache.close();
    cache.close();
    assertEquals(two, memory().usedBytes());
    fork.truncate(64);
    assertEquals(two / 2, memory().usedBytes());
    fork.close();
    assertEquals(0, memory().usedBytes());
  }

  @Test
  void writingWhatAForkSharesCopiesIt() {
    KvCache cache = backend.newKvCache(SHAPE);
    cache.reserve(64);
    try (KvCache fork = cache.fork();
        Batch batch = backend.newBatch(1)) {
      long before = memory().usedBytes();
      batch.add(cache, new int[1], 0, 1, 63); // without truncate and reserve
      assertEquals(before + cache.bytes(), memory().usedBytes());
      assertEquals(64, fork.length());
    }
    cache.close();
  }

  @Test
  void impossibleSizesAreRefusedAtOnce() {
    BackendException e =
        assertThrows(BackendException.class, () -> backend.allocate(DType.F32, 1L << 40, 1L << 20));
    assertTrue(e.getMessage().contains("-XX:MaxDirectMemorySize"), e.getMessage());
    assertTrue(e.getMessage().contains(String.valueOf(1L << 62)), e.getMessage());
    assertThrows(
        BackendException.class, () -> backend.allocate(DType.F32, Long.MAX_VALUE, Long.MAX_VALUE));
    assertThrows(InvalidInputException.class, () -> backend.allocate(DType.F32, 0));
    assertThrows(InvalidInputException.class, () -> backend.allocate(DType.F32, 2, -1));
    assertThrows(InvalidInputException.class, () -> backend.allocate(DType.F32, 1, 2, 3));
    assertThrows(InvalidInputException.class, () -> backend.allocate(DType.F16, 4));
  }

  @Test
  void runningOutOfMemoryIsAnExceptionAndWhatWaitsIsGivenUpFirst() {
    AtomicInteger made = new AtomicInteger();
    AtomicInteger refused = new AtomicInteger();
    DirectMemory small =
        new DirectMemory(
            2 << 20,
            bytes -> {
              if (made.incrementAndGet() > 10) {
                refused.incrementAndGet();
                throw new OutOfMemoryError("Cannot reserve");
              }
              return ByteBuffer.allocateDirect(bytes);
            });
    List<ByteBuffer> taken = new ArrayList<>();
    BackendException e =
        assertThrows(
            BackendException.class,
            () -> {
              while (true) {
                taken.add(small.allocate(100_000, "a test"));
              }
            });
    assertEquals(10, taken.size());
    assertTrue(e.getMessage().contains("no memory for a test: needed 100000 bytes"));
    assertTrue(e.getMessage().contains("limit for memory outside the heap is 2097152"));
    assertTrue(e.getMessage().contains("not given back 1000000"), e.getMessage());
    assertTrue(e.getMessage().contains("-XX:MaxDirectMemorySize"), e.getMessage());
    assertEquals(2, refused.get(), "tried again once");

    small.release(taken.remove(0));
    ByteBuffer again = small.allocate(100_000, "a test");
    assertEquals(2, refused.get(), "the same size is at hand");
    small.release(again);
    assertTrue(small.idleBytes() > 0);
    assertThrows(BackendException.class, () -> small.allocate(200_000, "a test"));
    assertEquals(0, small.idleBytes(), "what waited was given up");
  }

  @Test
  void aCacheThatCannotGrowKeepsItsLength() {
    KvShape large = new KvShape(64, 64, 512, DType.F32, Integer.MAX_VALUE);
    try (KvCache cache = backend.newKvCache(large)) {
      cache.reserve(1);
      assertThrows(BackendException.class, () -> cache.reserve(Integer.MAX_VALUE));
      assertEquals(1, cache.length());
    }
    assertEquals(0, memory().usedBytes());
  }

  @Test
  void senselessCachesAreRefused() {
    assertThrows(
        InvalidInputException.class, () -> backend.newKvCache(new KvShape(0, 1, 8, DType.F32, 10)));
    assertThrows(
        InvalidInputException.class,
        () -> backend.newKvCache(new KvShape(1, 1, 8, DType.BF16, 10)));
    int most = Integer.MAX_VALUE;
    assertThrows(
        InvalidInputException.class,
        () -> backend.newKvCache(new KvShape(most, most, most, DType.F32, 10)));
  }

  @Test
  void nothingIsMadeAfterClose() {
    backend.close();
    assertThrows(InvalidInputException.class, () -> backend.allocate(DType.F32, 1));
    assertThrows(InvalidInputException.class, () -> backend.newBatch(1));
    assertThrows(InvalidInputException.class, () -> backend.newKvCache(SHAPE));
  }
}
