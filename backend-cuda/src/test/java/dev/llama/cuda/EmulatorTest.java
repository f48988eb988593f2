package dev.llama.cuda;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.jna.Pointer;
import dev.llama.BackendException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The emulator computes what the device would, and notices what a kernel must not do. */
class EmulatorTest {
  private Gpu gpu;

  @BeforeEach
  void open() {
    Emulator.require();
    Driver.start();
    gpu = new Gpu(Device.list().get(0));
    gpu.enter();
  }

  @AfterEach
  void close() {
    if (gpu != null) {
      gpu.exit();
      gpu.close();
    }
  }

  /** A fault is reported by the next call that waits; the device can then be used again. */
  @ParameterizedTest
  @CsvSource({
    "test_access, 16, byte 64 of an allocation of 64 bytes",
    "test_access, 1000000000, access to",
    "test_unaligned, 1, not aligned",
    "test_array, 8, an index leaves its array",
    "test_missing_lanes, 0, wait at a collective",
    "test_different_collectives, 0, a collective of kind",
    "test_deadlock, 0, no thread can go on",
  })
  void faultsAreReported(String kernel, int index, String expected) {
    long x = gpu.allocateZeros(64, "test");
    gpu.launch(kernel, Grid.line(1, 64), x, index);
    BackendException e = assertThrows(BackendException.class, gpu::synchronize);
    assertTrue(e.getMessage().contains("CUDA_ERROR_ILLEGAL_ADDRESS"), e.getMessage());
    assertTrue(e.getMessage().contains(kernel), e.getMessage());
    assertTrue(e.getMessage().contains(expected), e.getMessage());
    gpu.launch("test_access", Grid.line(1, 64), x, 15);
    gpu.synchronize();
    assertEquals(1, read(x, 16)[15]);
  }

  /** There is no guard page at both ends; what is before the first byte is looked at later. */
  @Test
  void writesBeforeAnAllocationAreReportedWhenItIsFreed() {
    long x = gpu.allocateZeros(256, "test");
    gpu.launch("test_block_sum", new Grid(1, 1, 1, 32, 32), x - 16, 0);
    gpu.synchronize();
    BackendException e = assertThrows(BackendException.class, () -> gpu.free(x));
    assertTrue(e.getMessage().contains("before an allocation of 256 bytes"), e.getMessage());
  }

  @Test
  void memoryThatWasFreedIsGone() {
    long x = gpu.allocateZeros(64, "test");
    gpu.free(x);
    gpu.launch("test_access", Grid.line(1, 64), x, 0);
    assertThrows(BackendException.class, gpu::synchronize);
  }

  @Test
  void argumentsAreChecked() {
    long x = gpu.allocate(64, "test");
    BackendException e =
        assertThrows(
            BackendException.class, () -> gpu.launch("test_access", Grid.line(1, 64), x, 0, 0));
    assertTrue(e.getMessage().contains("parameters"), e.getMessage());
    assertThrows(BackendException.class, () -> gpu.launch("test_access", Grid.line(0, 64), x, 0));
    assertThrows(BackendException.class, () -> gpu.launch("test_access", Grid.line(1, 2048), x, 0));
    e =
        assertThrows(
            BackendException.class, () -> gpu.launch("no_such_kernel", Grid.line(1, 64), x, 0));
    assertTrue(e.getMessage().contains("no_such_kernel"), e.getMessage());
  }

  /** What a missing barrier does shows in one of two launches. */
  @Test
  void racesShow() {
    long x = gpu.allocate(4 * 64, "test");
    boolean wrong = false;
    for (int i = 0; i < 2; i++) {
      gpu.launch("test_race", new Grid(1, 1, 1, 64, 256), x, 1);
      wrong |= Float.isNaN(read(x, 64)[0]) || Float.isNaN(read(x, 64)[62]);
    }
    assertTrue(wrong);
  }

  @Test
  void shufflesBarriersAndSharedMemoryWork() {
    int threads = 256;
    long x = gpu.allocate(4 * 3 * threads, "test");
    for (int i = 0; i < 2; i++) {
      gpu.launch("test_block_sum", new Grid(3, 1, 1, threads, 32), x, i);
      float[] expected = new float[3 * threads];
      Arrays.fill(expected, threads * (threads - 1) / 2 + i * threads);
      assertArrayEquals(expected, read(x, 3 * threads));
    }
  }

  @Test
  void matrixUnitsMultiply() {
    long x = gpu.allocate(4 * 128, "test");
    gpu.launch("test_mma", Grid.line(1, 32), x, 5);
    float[] expected = new float[128];
    for (int row = 0; row < 16; row++) {
      for (int column = 0; column < 8; column++) {
        for (int k = 0; k < 16; k++) {
          expected[row * 8 + column] += (row - 2 * k + 5) * (k - 3 * column);
        }
      }
    }
    assertArrayEquals(expected, read(x, 128));
  }

  /** As on a device, what is enqueued has not run when the call returns. */
  @Test
  void workIsDeferred() {
    long x = gpu.allocateZeros(64, "test");
    gpu.launch("test_access", Grid.line(1, 64), x, 0);
    assertTrue(Float.isNaN(new Pointer(x).getFloat(0)), "not even the zeros are there");
    gpu.synchronize();
    assertEquals(1, new Pointer(x).getFloat(0));
  }

  private float[] read(long address, int count) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * count).order(ByteOrder.LITTLE_ENDIAN);
    gpu.transfers().download(bytes, address, 4L * count);
    float[] values = new float[count];
    bytes.asFloatBuffer().get(values);
    return values;
  }
}
