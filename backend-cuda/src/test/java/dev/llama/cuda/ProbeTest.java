package dev.llama.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.BackendException;
import dev.llama.cuda.Emulator.Setting;
import dev.llama.spi.Availability;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a user is told of a device that can or cannot be used. */
class ProbeTest {
  private final CudaBackendProvider provider = new CudaBackendProvider();

  @BeforeEach
  void start() {
    Emulator.require();
  }

  @AfterEach
  void restore() {
    Emulator.set(Setting.DEVICES, 1);
    Emulator.set(Setting.CAPABILITY, 80);
    Emulator.set(Setting.DRIVER_VERSION, 12040);
    Emulator.set(Setting.MEMORY, 2L << 30);
  }

  private void expectUnusable(String... words) {
    Availability found = provider.probe();
    assertEquals(0, found.score());
    BackendException e =
        assertThrows(BackendException.class, () -> provider.open(BackendOptions.defaults()));
    for (String word : words) {
      assertTrue(found.reason().contains(word), found.reason());
      assertTrue(e.getMessage().contains(word), e.getMessage());
    }
  }

  @Test
  void aDeviceIsDescribed() {
    Availability found = provider.probe();
    assertTrue(found.score() > 0, found.reason());
    for (String word : new String[] {"Emulator 0", "8.0", "2048 MiB", "12.4"}) {
      assertTrue(found.reason().contains(word), found.reason());
    }
  }

  @Test
  void noDevice() {
    Emulator.set(Setting.DEVICES, 0);
    expectUnusable("CUDA_ERROR_NO_DEVICE");
  }

  @Test
  void anOldDriverIsNamedWithWhatIsNeeded() {
    Emulator.set(Setting.DRIVER_VERSION, 11020);
    expectUnusable("11.2", "11.4");
  }

  @Test
  void anOldDeviceIsNamedWithWhatIsNeeded() {
    Emulator.set(Setting.CAPABILITY, 70);
    expectUnusable("7.0", "7.5");
  }

  @Test
  void tooLittleMemoryComesWithBothNumbers() {
    Emulator.set(Setting.MEMORY, 999_999_999);
    expectUnusable("999999999", "1073741824");
  }

  @Test
  void memoryThatOthersUseComesWithBothNumbers() {
    try (Backend other = provider.open(BackendOptions.defaults())) {
      other.allocate(dev.llama.DType.F32, 500 << 20).close();
      try (var taken = other.allocate(dev.llama.DType.F32, 500 << 20)) {
        BackendException e =
            assertThrows(BackendException.class, () -> provider.open(BackendOptions.defaults()));
        assertTrue(e.getMessage().contains("134217728"), e.getMessage());
        assertEquals(500 << 20, taken.width());
      }
    }
  }

  @Test
  void theVariantIsTheNumberOfTheDevice() {
    Emulator.set(Setting.DEVICES, 2);
    try (Backend backend = provider.open(new BackendOptions(Optional.of("1"), 0))) {
      assertTrue(backend.description().startsWith("cuda:1"), backend.description());
      assertTrue(backend.description().contains("Emulator 1"), backend.description());
    }
    for (String variant : new String[] {"2", "-1", "fast", "99999999999", ""}) {
      BackendException e =
          assertThrows(
              BackendException.class,
              () -> provider.open(new BackendOptions(Optional.of(variant), 0)),
              variant);
      assertTrue(e.getMessage().contains("\"" + variant + "\""), e.getMessage());
      assertTrue(e.getMessage().contains("0 to 1"), e.getMessage());
    }
  }

  /** Probing takes nothing that is not given back. */
  @Test
  void probingLeavesNothingBehind() {
    long objects = Emulator.get(Setting.OBJECTS);
    long allocations = Emulator.get(Setting.ALLOCATIONS);
    provider.probe();
    assertEquals(objects, Emulator.get(Setting.OBJECTS));
    assertEquals(allocations, Emulator.get(Setting.ALLOCATIONS));
  }
}
