package dev.llama.cuda;

import com.sun.jna.Memory;
import com.sun.jna.Pointer;
import dev.llama.BackendException;

/** What the driver says when a call fails, and what it says of itself. Stateless. */
final class Driver {
  /** CUDA 11.4: the first with every function of {@link Cu}; takes the PTX of these kernels. */
  static final int OLDEST_VERSION = 11040;

  private Driver() {}

  /**
   * Loads and initialises the driver. Idempotent.
   *
   * @throws BackendException with the reason and the cure
   */
  static void start() {
    DriverLibrary.load();
    int version = version();
    if (version < OLDEST_VERSION) {
      throw new BackendException(
          "the NVIDIA driver is too old: it is one for CUDA "
              + words(version)
              + "; needed is one for CUDA "
              + words(OLDEST_VERSION)
              + " or newer (470)");
    }
    check(Cu.cuInit(0), "cuInit");
  }

  /** Returns the newest CUDA that the driver supports, as {@code 1000 major + 10 minor}. */
  static int version() {
    try (Memory out = new Memory(Integer.BYTES)) {
      check(Cu.cuDriverGetVersion(address(out)), "cuDriverGetVersion");
      return out.getInt(0);
    }
  }

  /** Returns a version as {@code 12.4}. */
  static String words(int version) {
    return version / 1000 + "." + version % 1000 / 10;
  }

  /** Returns where a block of host memory begins. */
  static long address(Pointer memory) {
    return Pointer.nativeValue(memory);
  }

  /**
   * Throws unless a call succeeded.
   *
   * @param status what it returned
   * @param call its name
   */
  static void check(int status, String call) {
    if (status != Cu.SUCCESS) {
      throw failure(status, call);
    }
  }

  /**
   * Throws unless a call succeeded.
   *
   * @param status what it returned
   * @param call its name
   * @param bytes how much it was to move or to take
   */
  static void check(int status, String call, long bytes) {
    if (status != Cu.SUCCESS) {
      throw failure(status, call + " of " + bytes + " bytes");
    }
  }

  /**
   * Describes a failure.
   *
   * @param status what the call returned
   * @param call its name and its sizes
   */
  static BackendException failure(int status, String call) {
    return new BackendException("CUDA: " + call + " failed: " + describe(status));
  }

  /** Returns the driver's name and text for an error. */
  static String describe(int status) {
    try (Memory out = new Memory(Long.BYTES)) {
      String name = text(Cu.cuGetErrorName(status, address(out)), out);
      String words = text(Cu.cuGetErrorString(status, address(out)), out);
      return name == null
          ? "error " + status
          : name + " (" + status + (words == null ? ")" : ", " + words + ")");
    }
  }

  private static String text(int status, Memory out) {
    Pointer text = status == Cu.SUCCESS ? out.getPointer(0) : null;
    return text == null ? null : text.getString(0);
  }
}
