package dev.llama.cpu;

import dev.llama.BackendException;
import java.util.Optional;
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

  /**
   * Returns why the library cannot be loaded. Where its file is on the class path this is taken as
   * enough, because loading it takes a while.
   *
   * @return the reason and the cure; empty if nothing speaks against it
   */
  static Optional<String> missing() {
    ClassLoader loader = OpenBlasLoader.class.getClassLoader();
    if (loader != null && loader.getResource(file()) != null) {
      return Optional.empty();
    }
    try {
      load();
      return Optional.empty();
    } catch (BackendException e) {
      return Optional.of(e.getMessage());
    }
  }

  /** The library as JavaCPP names it. */
  private static String file() {
    String platform =
        NativeLoader.platform()
            .replace("x86-64", "x86_64")
            .replace("aarch64", "arm64")
            .replace("win32", "windows")
            .replace("darwin", "macosx");
    return "org/bytedeco/openblas/"
        + platform
        + "/"
        + System.mapLibraryName("jniopenblas_nolapack");
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
