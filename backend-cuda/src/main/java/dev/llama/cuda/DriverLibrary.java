package dev.llama.cuda;

import com.sun.jna.FunctionMapper;
import com.sun.jna.Library;
import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Platform;
import dev.llama.BackendException;
import java.util.Map;
import java.util.Set;

/**
 * Loads the driver's library, once in a process, and binds {@link Cu} to it. Apart from {@link
 * Driver}, because neither can even be linked where JNA is absent.
 */
final class DriverLibrary {
  /** Names another library with the driver's functions: the emulator, in tests. */
  private static final String PROPERTY = "llama.cuda.library";

  /** Functions whose name in the library has a version; plain names are kept for old programs. */
  private static final Set<String> VERSION_2 =
      Set.of(
          "cuDeviceTotalMem",
          "cuDevicePrimaryCtxRelease",
          "cuMemGetInfo",
          "cuMemAlloc",
          "cuMemFree",
          "cuMemcpyHtoDAsync",
          "cuMemcpyDtoHAsync",
          "cuMemcpyDtoDAsync",
          "cuStreamDestroy",
          "cuStreamBeginCapture",
          "cuEventDestroy");

  private DriverLibrary() {}

  /**
   * Loads the library.
   *
   * @throws BackendException with the reason and the cure
   */
  static synchronized void load() {
    try {
      if (!Native.registered(Cu.class)) {
        bind(name());
      }
    } catch (LinkageError | RuntimeException e) {
      throw e instanceof BackendException
          ? (BackendException) e
          : new BackendException("the CUDA driver cannot be loaded: " + e, e);
    }
  }

  /** Returns the file name of the library. */
  static String name() {
    return System.getProperty(PROPERTY, Platform.isWindows() ? "nvcuda" : "libcuda.so.1");
  }

  /** Whether the library is not the driver's own but has the kernels built in. */
  static boolean isEmulator() {
    return System.getProperty(PROPERTY) != null;
  }

  /**
   * Binds the functions to a library.
   *
   * @param name file name or path
   * @throws BackendException if there is no such library, or it lacks a function
   */
  static void bind(String name) {
    FunctionMapper symbols = (library, method) -> symbol(method.getName());
    NativeLibrary library;
    try {
      library = NativeLibrary.getInstance(name, Map.of(Library.OPTION_FUNCTION_MAPPER, symbols));
    } catch (UnsatisfiedLinkError e) {
      String[] lines = e.getMessage().split("\n"); // what was tried, then what the loader said
      throw new BackendException(
          "there is no NVIDIA driver ("
              + (lines.length > 1 ? lines[1] : lines[0])
              + "); install it from nvidia.com or from your distribution",
          e);
    }
    try {
      Native.register(Cu.class, library);
    } catch (UnsatisfiedLinkError e) {
      Native.unregister(Cu.class);
      throw new BackendException(
          "the NVIDIA driver is too old: "
              + e.getMessage()
              + "; needed is the driver of CUDA 11.4 (470) or newer",
          e);
    }
  }

  /** Returns what a method of {@link Cu} is called in the library. */
  static String symbol(String method) {
    return VERSION_2.contains(method) ? method + "_v2" : method;
  }
}
