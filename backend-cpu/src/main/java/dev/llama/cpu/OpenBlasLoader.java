package dev.llama.cpu;

import dev.llama.BackendException;
import org.bytedeco.javacpp.Loader;

/**
 * Loads OpenBLAS and turns whatever goes wrong into an exception that tells the cure. Apart from
 * {@link OpenBlas}, because that class cannot even be linked where the jars are absent.
 */
final class OpenBlasLoader {
  private OpenBlasLoader() {}

  /**
   * Loads the library.
   *
   * @return the library
   * @throws BackendException with the reason and the cure
   */
  static OpenBlas load() {
    try {
      return OpenBlas.load();
    } catch (LinkageError | RuntimeException e) {
      throw new BackendException("OpenBLAS cannot be loaded (" + reason(e) + "); " + cure(), e);
    } catch (OutOfMemoryError e) {
      // JavaCPP's own limit: what the process has taken outside the heap, against a multiple of
      // -Xmx.
      throw new BackendException(
          "OpenBLAS cannot be loaded ("
              + e.getMessage()
              + "); raise -Xmx, or add -Dorg.bytedeco.javacpp.maxPhysicalBytes=0",
          e);
    }
  }

  private static String reason(Throwable e) {
    Throwable root = e;
    while (root.getCause() != null && root.getCause() != root) {
      root = root.getCause();
    }
    return root.toString();
  }

  private static String cure() {
    return "add the artifacts org.bytedeco:openblas and org.bytedeco:javacpp, each also with the"
        + " classifier "
        + platform()
        + ", and see that the folder to which they unpack (~/.javacpp/cache, or"
        + " -Dorg.bytedeco.javacpp.cachedir) can be written; on the module path, add also"
        + " --add-modules ALL-MODULE-PATH";
  }

  private static String platform() {
    try {
      return Loader.getPlatform();
    } catch (LinkageError | RuntimeException e) {
      return "of this platform, such as linux-x86_64";
    }
  }
}
