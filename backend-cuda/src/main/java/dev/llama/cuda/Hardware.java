package dev.llama.cuda;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.List;
import java.util.Locale;

/**
 * Looks for traces of an NVIDIA GPU in files of Linux. Where there is none, the driver need not be
 * looked for, which with JNA takes longer than loading a model.
 */
final class Hardware {
  private static final String VENDOR = "0x10de"; // NVIDIA's number on PCI

  /** Device files and such: of the driver, of WSL, of Tegra boards. */
  private static final List<String> TRACES =
      List.of(
          "dev/nvidiactl",
          "dev/nvidia0",
          "proc/driver/nvidia",
          "dev/dxg",
          "dev/nvmap",
          "dev/nvhost-ctrl");

  private Hardware() {}

  /** Returns whether there may be a GPU; true where the system does not tell. */
  static boolean mayBeThere() {
    return !System.getProperty("os.name", "").toLowerCase(Locale.ROOT).startsWith("linux")
        || mayBeThere(Paths.get("/"));
  }

  /**
   * Returns whether there may be a GPU.
   *
   * @param root of the file system
   */
  static boolean mayBeThere(Path root) {
    for (String trace : TRACES) {
      if (Files.exists(root.resolve(trace))) {
        return true;
      }
    }
    Path folder = root.resolve("sys/bus/pci/devices");
    try (DirectoryStream<Path> devices = Files.newDirectoryStream(folder)) {
      for (Path device : devices) {
        byte[] vendor = Files.readAllBytes(device.resolve("vendor"));
        if (new String(vendor, StandardCharsets.US_ASCII).trim().equals(VENDOR)) {
          return true;
        }
      }
      return false;
    } catch (IOException | RuntimeException e) {
      return Files.exists(folder); // without the folder there is no PCI; else it is closed off
    }
  }
}
