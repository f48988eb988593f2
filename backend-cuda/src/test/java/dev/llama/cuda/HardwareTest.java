package dev.llama.cuda;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A GPU is never overlooked, and a machine without one is recognised. */
class HardwareTest {
  @TempDir private Path root;

  private void device(String name, String vendor) throws IOException {
    Path device = Files.createDirectories(root.resolve("sys/bus/pci/devices").resolve(name));
    Files.writeString(device.resolve("vendor"), vendor);
  }

  @Test
  void aMachineWithOtherDevicesHasNone() throws IOException {
    assertFalse(Hardware.mayBeThere(root), "nor one without PCI");
    device("0000:00:00.0", "0x8086\n");
    device("0000:00:01.0", "0x1002\n");
    assertFalse(Hardware.mayBeThere(root));
  }

  @Test
  void aDeviceOnPciIsSeenBeforeItsDriverRuns() throws IOException {
    device("0000:00:00.0", "0x8086\n");
    device("0000:01:00.0", "0x10de\n");
    assertTrue(Hardware.mayBeThere(root));
  }

  @Test
  void whatCannotBeReadMayBeOne() throws IOException {
    Files.createDirectories(root.resolve("sys/bus/pci/devices/0000:00:00.0"));
    assertTrue(Hardware.mayBeThere(root));
  }

  @ParameterizedTest
  @ValueSource(strings = {"dev/nvidiactl", "dev/nvidia0", "proc/driver/nvidia/version", "dev/dxg"})
  void filesOfTheDriverTellToo(String file) throws IOException {
    Files.createDirectories(root.resolve(file).getParent());
    Files.createFile(root.resolve(file));
    assertTrue(Hardware.mayBeThere(root));
  }
}
