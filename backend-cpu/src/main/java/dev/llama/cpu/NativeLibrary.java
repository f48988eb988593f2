package dev.llama.cpu;

import com.sun.jna.FunctionMapper;
import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.Platform;
import com.sun.jna.Pointer;
import dev.llama.BackendException;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Locale;
import java.util.Map;

/**
 * The native library with the kernels in C: found in the jar, unpacked to JNA's folder for
 * temporary files, and bound to {@link NativeKernels} at the best level that the CPU has.
 */
final class NativeLibrary {
  private static final String NAME = "llama_cpu";

  /** A set of kernels. Each needs all bits of its mask in what {@code cpuFeatures} returns. */
  private enum Level {
    AVX2("x86-64", 1, "AVX2"),
    DOTPROD("aarch64", 3, "NEON and dot-product"),
    NEON("aarch64", 1, "NEON");

    private final String architecture;
    private final long mask;
    private final String words;

    Level(String architecture, long mask, String words) {
      this.architecture = architecture;
      this.mask = mask;
      this.words = words;
    }

    static Level of(long features) {
      for (Level level : values()) {
        if (Platform.RESOURCE_PREFIX.endsWith(level.architecture)
            && (features & level.mask) == level.mask) {
          return level;
        }
      }
      throw new BackendException(
          "the native kernels need a CPU with AVX2, FMA and F16C, or 64-bit ARM; this is "
              + Platform.RESOURCE_PREFIX
              + " without them");
    }
  }

  private final Level level;

  private NativeLibrary(Level level) {
    this.level = level;
  }

  /**
   * Loads the library, once in a process.
   *
   * @return the library
   * @throws BackendException if there is none for this platform, or the CPU is too old
   * @throws IOException if it cannot be unpacked
   * @throws LinkageError if JNA is absent, or a library cannot be loaded
   */
  static synchronized NativeLibrary load() throws IOException {
    if (!Native.registered(NativeKernels.class)) {
      bind();
    }
    return new NativeLibrary(Level.of(NativeKernels.cpuFeatures()));
  }

  private static void bind() throws IOException {
    String file = System.mapLibraryName(NAME);
    String resource = "/" + Platform.RESOURCE_PREFIX + "/" + file;
    if (NativeLibrary.class.getResource(resource) == null) {
      throw new BackendException("there are no native kernels for " + Platform.RESOURCE_PREFIX);
    }
    File unpacked = Native.extractFromResourcePath(resource, NativeLibrary.class.getClassLoader());
    try {
      String path = unpacked.getAbsolutePath();
      long features =
          com.sun.jna.NativeLibrary.getInstance(path)
              .getFunction("llama_cpu_features")
              .invokeLong(new Object[0]);
      String level = Level.of(features).name().toLowerCase(Locale.ROOT);
      FunctionMapper symbols = (library, method) -> symbol(method.getName(), level);
      Native.register(
          NativeKernels.class,
          com.sun.jna.NativeLibrary.getInstance(
              path, Map.of(Library.OPTION_FUNCTION_MAPPER, symbols)));
    } finally {
      // Elsewhere than on Windows a library that is in use needs no name; where the classes are not
      // in a jar it was not unpacked at all.
      if (!Platform.isWindows() && !unpacked.getName().equals(file)) {
        unpacked.delete();
      }
    }
  }

  /**
   * Returns what a method is called in C: {@code productQ4K} is {@code llama_product_q4_k_avx2}.
   */
  static String symbol(String method, String level) {
    if (method.equals("cpuFeatures")) {
      return "llama_cpu_features";
    }
    String snake = method.replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
    return "llama_" + snake.replaceFirst("_q(\\d)(\\d)$", "_q$1_$2") + "_" + level;
  }

  /** Returns which kernels run. */
  String description() {
    return level.words + " kernels";
  }

  /** Returns where a segment begins. */
  static long address(Segment segment) {
    long address = segment.address;
    if (address == 0) {
      address = address(segment.bytes);
      segment.address = address;
    }
    return address;
  }

  /** Returns where a direct buffer begins. */
  static long address(ByteBuffer buffer) {
    return Pointer.nativeValue(Native.getDirectBufferPointer(buffer));
  }
}
