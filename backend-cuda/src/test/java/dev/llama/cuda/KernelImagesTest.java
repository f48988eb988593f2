package dev.llama.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.BackendException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The PTX in the jar is that of the sources, complete, and small. */
class KernelImagesTest {
  private static final Path SOURCES =
      Path.of(System.getProperty("basedir", "."), "src", "main", "cuda");
  private static final Path PTX =
      Path.of(System.getProperty("basedir", "."), "src", "main", "resources", "dev/llama/cuda/ptx");
  private static final String CURE = "; run src/main/cuda/build.sh " + PTX;

  private static List<String> list() throws IOException {
    return Files.readAllLines(PTX.resolve(KernelImages.Resources.LIST));
  }

  @Test
  void sourcesAndPtxAgree() throws IOException, NoSuchAlgorithmException {
    MessageDigest digest = MessageDigest.getInstance("SHA-256");
    for (String suffix : new String[] {".cu", ".cuh"}) {
      try (Stream<Path> files = Files.list(SOURCES)) {
        List<Path> sources =
            files
                .filter(file -> file.toString().endsWith(suffix))
                .sorted((a, b) -> a.toString().compareTo(b.toString()))
                .collect(Collectors.toList());
        for (Path source : sources) {
          digest.update(Files.readAllBytes(source));
        }
      }
    }
    StringBuilder hex = new StringBuilder();
    for (byte b : digest.digest()) {
      hex.append(String.format("%02x", b));
    }
    assertTrue(
        list().contains("# sources " + hex), "the PTX is not that of the sources " + hex + CURE);
  }

  @Test
  void everyModuleHoldsItsKernels() throws IOException {
    KernelImages.Resources images = new KernelImages.Resources(90);
    int modules = 0;
    for (String line : list()) {
      if (!line.startsWith("#")) {
        String[] words = line.split(" ");
        String ptx = new String(images.image(words[0] + "." + words[1]), StandardCharsets.US_ASCII);
        assertTrue(ptx.startsWith(".version 7.0\n.target sm_" + words[1]), line);
        assertTrue(words.length > 2, line);
        for (int i = 2; i < words.length; i++) {
          assertTrue(ptx.contains(".visible .entry " + words[i] + "("), words[i]);
        }
        modules++;
      }
    }
    try (Stream<Path> files = Files.list(PTX)) {
      assertEquals(modules, files.filter(file -> file.toString().endsWith(".gz")).count());
    }
  }

  /** The device's kernels are those that the tests run. */
  @Test
  void theEmulatorHasTheSameKernels() throws IOException {
    Emulator.require();
    Driver.start();
    try (Gpu gpu = new Gpu(Device.list().get(0))) {
      gpu.enter();
      for (String line : list()) {
        String[] words = line.split(" ");
        for (int i = 2; i < words.length && !line.startsWith("#"); i++) {
          String name = words[i];
          BackendException e =
              assertThrows(
                  BackendException.class, () -> gpu.launch(name, Grid.line(0, 32), 0L), name);
          assertFalse(e.getMessage().contains("NOT_FOUND"), e.getMessage());
        }
      }
      gpu.exit();
    }
  }

  /** A device gets the newest code that it can run. */
  @Test
  void theBestModuleForTheDeviceIsTaken() {
    String kernel = "matmul_bf16_128";
    assertEquals("matmul.75", new KernelImages.Resources(75).moduleOf(kernel));
    assertEquals("matmul.80", new KernelImages.Resources(80).moduleOf(kernel));
    assertEquals("matmul.80", new KernelImages.Resources(90).moduleOf(kernel));
    assertThrows(BackendException.class, () -> new KernelImages.Resources(70).moduleOf(kernel));
    assertThrows(BackendException.class, () -> new KernelImages.Resources(90).moduleOf("no_such"));
    assertThrows(BackendException.class, () -> new KernelImages.Resources(90).image("no_such.75"));
  }

  /** What the driver's compiler says of a bad image is in the message. */
  @Test
  void theCompilersWordsAreInTheMessage() {
    Emulator.require();
    Driver.start();
    KernelImages bad =
        new KernelImages() {
          @Override
          public String moduleOf(String kernel) {
            return "broken";
          }

          @Override
          public byte[] image(String module) {
            return "bad".getBytes(StandardCharsets.US_ASCII);
          }
        };
    try (Gpu gpu = new Gpu(Device.list().get(0))) {
      gpu.enter();
      try (Kernels kernels = new Kernels(bad, 1 << 16)) {
        BackendException e = assertThrows(BackendException.class, () -> kernels.function("add", 0));
        assertTrue(e.getMessage().contains("broken"), e.getMessage());
        assertTrue(e.getMessage().contains("ptxas fatal: bad image"), e.getMessage());
      }
      gpu.exit();
    }
  }

  /** All of it is downloaded by everyone who uses the library. */
  @Test
  void thePtxIsSmall() throws IOException {
    long bytes = 0;
    try (Stream<Path> files = Files.list(PTX)) {
      for (Path file : files.collect(Collectors.toList())) {
        bytes += Files.size(file);
      }
    }
    assertTrue(bytes < 1_500_000, bytes + " bytes");
  }
}
