package dev.llama.cuda;

import com.sun.jna.Function;
import com.sun.jna.NativeLibrary;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;

/**
 * The driver emulator of {@code src/test/native}: runs the kernels on the CPU, so that the
 * unchanged Java code can be tested without a GPU. Where there is no g++, tests that need it are
 * skipped.
 */
public final class Emulator {
  private static final String PROPERTY = "llama.cuda.library";
  private static final int BUILD_MINUTES = 15; // of a busy machine

  /** What tests can set and read, in the order of {@code enum Setting} in driver.cpp. */
  public enum Setting {
    /** Bytes of the device. */
    MEMORY,
    /** Compute capability, 10 major + minor. */
    CAPABILITY,
    /** Newest CUDA of the driver, 1000 major + 10 minor. */
    DRIVER_VERSION,
    /** Number of devices. */
    DEVICES,
    /** Device memory that is allocated. */
    BYTES_IN_USE,
    /** Blocks of device memory that are allocated. */
    ALLOCATIONS,
    /** Contexts, streams, events, modules, graphs, and blocks of host memory that are in use. */
    OBJECTS,
    /** Kernels that were launched one by one, captured or not. */
    LAUNCHES,
    /** Graphs that were launched. */
    GRAPH_LAUNCHES,
    /** Graphs that were made. */
    INSTANTIATIONS,
    /** Bytes that were copied to the host. */
    COPIED_TO_HOST,
    /** The allocation that fails: 1 the next, 2 the one behind it; 0 none. */
    FAILING_ALLOCATION
  }

  private Emulator() {}

  /**
   * Builds the emulator, and makes it the driver of this process.
   *
   * @throws org.opentest4j.TestAbortedException where it cannot be built
   */
  public static synchronized void require() {
    if (System.getProperty(PROPERTY) == null) {
      System.setProperty(PROPERTY, build().toString());
    }
  }

  private static Path build() {
    Path module = Path.of(System.getProperty("basedir", "."), "..", "backend-cuda").normalize();
    Path script = module.resolve("src/test/native/build.sh").toAbsolutePath();
    Path folder = module.resolve("target/emulator").toAbsolutePath();
    Assumptions.assumeTrue(
        run(folder, "sh", "-c", "command -v g++ xargs sha256sum") == 0,
        "the driver emulator needs g++, and Linux: install it to run these tests");
    if (run(folder, "sh", script.toString(), folder.toString()) != 0) {
      throw new AssertionError("the driver emulator cannot be built:\n" + log(folder));
    }
    return folder.resolve("libcuda_emulator.so");
  }

  private static int run(Path folder, String... command) {
    try {
      Files.createDirectories(folder);
      Process process =
          new ProcessBuilder(command)
              .redirectErrorStream(true)
              .redirectOutput(folder.resolve("build.log").toFile())
              .start();
      if (!process.waitFor(BUILD_MINUTES, TimeUnit.MINUTES)) {
        process.destroyForcibly();
        throw new AssertionError("the build of the driver emulator takes too long");
      }
      return process.exitValue();
    } catch (IOException e) {
      return -1; // no such program
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted", e);
    }
  }

  private static String log(Path folder) {
    try {
      return Files.readString(folder.resolve("build.log"), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Changes the emulated device.
   *
   * @param setting what
   * @param value new value
   */
  public static void set(Setting setting, long value) {
    function("emu_set").invokeVoid(new Object[] {setting.ordinal(), value});
  }

  /**
   * Reads a setting or a count.
   *
   * @param setting what
   * @return present value
   */
  public static long get(Setting setting) {
    return function("emu_get").invokeLong(new Object[] {setting.ordinal()});
  }

  private static Function function(String name) {
    require();
    return NativeLibrary.getInstance(System.getProperty(PROPERTY)).getFunction(name);
  }
}
