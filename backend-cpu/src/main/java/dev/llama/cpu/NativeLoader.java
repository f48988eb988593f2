package dev.llama.cpu;

import dev.llama.BackendException;
import java.io.IOException;

/**
 * Loads the native kernels and turns whatever goes wrong into an exception that tells the cure.
 * Apart from {@link NativeLibrary}, because that class cannot even be linked where JNA is absent.
 */
final class NativeLoader {
  private NativeLoader() {}

  /**
   * Loads the library.
   *
   * @return the library
   * @throws BackendException with the reason and the cure
   */
  static NativeLibrary load() {
    try {
      return NativeLibrary.load();
    } catch (BackendException e) {
      throw e;
    } catch (IOException | LinkageError | RuntimeException e) {
      throw new BackendException("the native kernels cannot be loaded (" + e + "); " + cure(), e);
    }
  }

  private static String cure() {
    return "add the artifact net.java.dev.jna:jna, and see that JNA can unpack to its folder for"
        + " temporary files and run from there: -Djna.tmpdir=/folder names another, which must not"
        + " be mounted noexec; on the module path, add also --add-modules ALL-MODULE-PATH";
  }
}
