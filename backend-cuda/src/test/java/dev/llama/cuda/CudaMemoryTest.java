package dev.llama.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.BackendException;
import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.cuda.Emulator.Setting;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.Batch;
import dev.llama.spi.KvCache;
import dev.llama.spi.KvShape;
import dev.llama.spi.Ops.Write;
import dev.llama.spi.Step;
import dev.llama.spi.Tensor;
import dev.llama.spi.conformance.Lab;
import dev.llama.spi.conformance.StoredWeight;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Memory runs out in words, nothing leaks, and the process goes on. */
class CudaMemoryTest {
  private static final KvShape SHAPE = new KvShape(2, 2, 16, DType.F16, 4096);

  private long objects;
  private long allocations;
  private Backend backend;

  @BeforeEach
  void open() {
    Emulator.require();
    objects = Emulator.get(Setting.OBJECTS);
    allocations = Emulator.get(Setting.ALLOCATIONS);
    backend = new CudaBackendProvider().open(BackendOptions.defaults());
  }

  @AfterEach
  void close() {
    Emulator.set(Setting.FAILING_ALLOCATION, 0);
    Emulator.set(Setting.MEMORY, 2L << 30);
    if (backend != null) {
      backend.close();
    }
  }

  private void expectNothingLeft() {
    backend.close();
    assertEquals(objects, Emulator.get(Setting.OBJECTS), "contexts, streams, modules, graphs …");
    assertEquals(allocations, Emulator.get(Setting.ALLOCATIONS), "device memory");
  }

  @Test
  void closingTheBackendGivesEverythingBack() {
    Lab lab = new Lab(backend);
    Tensor x = lab.matrix(Lab.normal(Lab.random("x"), 256, 1), 256);
    for (DType type : new DType[] {DType.F32, DType.BF16, DType.Q4_0}) {
      Tensor weight = lab.load(StoredWeight.random(Lab.random("w"), type, 33, 256).data());
      Tensor out = lab.unset(1, 33);
      Step step = backend.record(() -> lab.ops().matmul(out, x, weight, Write.SET));
      step.run();
      lab.read(out);
    }
    KvCache cache = backend.newKvCache(SHAPE);
    cache.reserve(1000);
    KvCache fork = cache.fork();
    fork.reserve(1100);
    backend.newBatch(17);
    expectNothingLeft();
    cache.close(); // harmless, in any order
    fork.close();
    x.close();
  }

  @Test
  void closingEachThingGivesItsMemoryBack() {
    long before = Emulator.get(Setting.ALLOCATIONS);
    KvCache cache = backend.newKvCache(SHAPE);
    cache.reserve(4096);
    KvCache fork = cache.fork();
    fork.truncate(100);
    fork.reserve(300);
    cache.close();
    fork.close();
    Batch batch = backend.newBatch(5);
    batch.close();
    batch.close();
    Tensor tensor = backend.allocate(DType.F32, 3, 5);
    tensor.slice(0, 1).close();
    tensor.close();
    tensor.close();
    assertEquals(before, Emulator.get(Setting.ALLOCATIONS));
    assertThrows(InvalidInputException.class, () -> backend.ops().add(tensor, tensor));
  }

  @Test
  void runningOutOfMemoryNamesNeededAndFreeBytes() {
    BackendException e =
        assertThrows(BackendException.class, () -> backend.allocate(DType.F32, 1 << 20, 1000));
    assertTrue(e.getMessage().contains("4194304000"), e.getMessage());
    assertTrue(e.getMessage().contains("are free"), e.getMessage());
    Tensor most = backend.allocate(DType.F32, 490 << 20);
    e = assertThrows(BackendException.class, () -> backend.allocate(DType.F32, 100 << 20));
    assertTrue(e.getMessage().contains(" " + (400L << 20) + " bytes"), e.getMessage());
    long free = (2L << 30) - Emulator.get(Setting.BYTES_IN_USE);
    assertTrue(e.getMessage().contains(free + " of " + (2L << 30)), e.getMessage());
    most.close();
    backend.allocate(DType.F32, 100 << 20).close();
    expectNothingLeft();
  }

  @Test
  void aCacheThatCannotGrowIsAsItWas() {
    KvCache cache = backend.newKvCache(SHAPE);
    cache.reserve(100);
    long bytes = cache.bytes();
    long before = Emulator.get(Setting.ALLOCATIONS);
    for (int failing = 1; failing <= 4; failing++) {
      Emulator.set(Setting.FAILING_ALLOCATION, failing);
      assertThrows(BackendException.class, () -> cache.reserve(2000));
      Emulator.set(Setting.FAILING_ALLOCATION, 0);
      assertEquals(100, cache.length());
      assertEquals(bytes, cache.bytes());
      assertEquals(before, Emulator.get(Setting.ALLOCATIONS), "allocation " + failing + " failed");
    }
    cache.reserve(2000);
    expectNothingLeft();
  }

  /** Whichever allocation of a load or an operation fails, the next attempt works. */
  @Test
  void everyAllocationMayFail() {
    StoredWeight weight = StoredWeight.random(Lab.random("w"), DType.Q8_0, 33, 256);
    for (int failing = 1; failing <= 6; failing++) {
      long before = Emulator.get(Setting.ALLOCATIONS);
      List<Tensor> made = new ArrayList<>();
      Emulator.set(Setting.FAILING_ALLOCATION, failing);
      try {
        made.add(backend.load(weight.data()));
        made.add(backend.allocate(DType.F32, 1, 256));
        made.add(backend.allocate(DType.F32, 1, 33));
        backend.ops().matmul(made.get(2), made.get(1), made.get(0), Write.SET);
      } catch (BackendException e) {
        assertTrue(e.getMessage().contains("out of memory"), e.getMessage());
      }
      Emulator.set(Setting.FAILING_ALLOCATION, 0);
      made.forEach(Tensor::close);
      long workSpace = Emulator.get(Setting.ALLOCATIONS) - before;
      assertTrue(workSpace <= 1, "allocation " + failing + " left " + workSpace);
    }
    expectNothingLeft();
  }

  @Test
  void aBackendThatCannotBeOpenedLeavesNothing() {
    backend.close();
    Emulator.set(Setting.DEVICES, 0);
    try {
      assertThrows(
          BackendException.class, () -> new CudaBackendProvider().open(BackendOptions.defaults()));
    } finally {
      Emulator.set(Setting.DEVICES, 1);
    }
    expectNothingLeft();
  }

  @Test
  void whatIsClosedIsRefusedInWords() {
    Tensor tensor = backend.allocate(DType.F32, 2);
    backend.close();
    assertThrows(InvalidInputException.class, () -> backend.allocate(DType.F32, 2));
    assertThrows(InvalidInputException.class, () -> backend.ops().add(tensor, tensor));
    assertFalse(backend.description().isEmpty());
  }
}
