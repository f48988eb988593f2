package dev.llama.cpu;

import static java.nio.file.StandardOpenOption.CREATE_NEW;
import static java.nio.file.StandardOpenOption.WRITE;
import static java.nio.file.attribute.PosixFilePermission.OWNER_READ;
import static java.nio.file.attribute.PosixFilePermission.OWNER_WRITE;

import dev.llama.BackendException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.EnumSet;
import java.util.Locale;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Gets the native library into the process: from the jar by way of a temporary file, or on Android
 * from the application. Turns whatever goes wrong into an exception that tells the cure.
 */
final class NativeLoader {
  private static final String NAME = "llama_cpu";

  private NativeLoader() {}

  /**
   * Loads the library into the class loader of {@link NativeKernels}.
   *
   * @return what {@link NativeKernels#features} says
   * @throws BackendException with the reason and the cure
   */
  static long load() {
    try {
      if (isAndroid()) {
        System.loadLibrary(NAME);
      } else {
        loadFromJar();
      }
      return NativeKernels.features();
    } catch (BackendException e) {
      throw e;
    } catch (IOException | LinkageError | RuntimeException e) {
      throw new BackendException("the native kernels cannot be loaded (" + e + "); " + cure(), e);
    }
  }

  private static boolean isAndroid() {
    return "Dalvik".equals(System.getProperty("java.vm.name"));
  }

  private static boolean isWindows() {
    return platform().startsWith("win32");
  }

  /** Returns the folder of this platform's library: operating system and architecture. */
  static String platform() {
    String system = System.getProperty("os.name", "").toLowerCase(Locale.ROOT);
    String architecture = System.getProperty("os.arch", "");
    String os =
        system.startsWith("windows")
            ? "win32"
            : system.startsWith("mac") ? "darwin" : system.replace(' ', '-');
    String cpu =
        architecture.equals("amd64") || architecture.equals("x86_64")
            ? "x86-64"
            : architecture.equals("arm64") ? "aarch64" : architecture;
    return os + "-" + cpu;
  }

  /** A file of its own for each load: a JVM lets one class loader alone have a library. */
  private static void loadFromJar() throws IOException {
    String file = System.mapLibraryName(NAME);
    String resource = "/" + platform() + "/" + file;
    try (InputStream library = NativeLoader.class.getResourceAsStream(resource)) {
      if (library == null) {
        throw new BackendException("there are no native kernels for " + platform());
      }
      Path folder = Paths.get(System.getProperty("java.io.tmpdir"));
      String suffix = file.substring(file.lastIndexOf('.'));
      deleteOld(folder, suffix);
      Path unpacked = unpack(library, folder, suffix);
      try {
        System.load(unpacked.toAbsolutePath().toString());
      } finally {
        if (!isWindows()) {
          Files.deleteIfExists(unpacked);
        }
      }
    }
  }

  /**
   * Copies to a new file that no other user can write, where the file system knows users. Not by
   * {@link Files#createTempFile}, which starts the JDK's cryptography for its names: with {@code
   * CREATE_NEW} a name need not be secret.
   */
  private static Path unpack(InputStream library, Path folder, String suffix) throws IOException {
    FileAttribute<?>[] attributes =
        folder.getFileSystem().supportedFileAttributeViews().contains("posix")
            ? new FileAttribute<?>[] {
              PosixFilePermissions.asFileAttribute(EnumSet.of(OWNER_READ, OWNER_WRITE))
            }
            : new FileAttribute<?>[0];
    ByteBuffer bytes = ByteBuffer.wrap(library.readAllBytes());
    for (long number = System.nanoTime(); ; number++) {
      Path file = folder.resolve(NAME + "-" + Long.toUnsignedString(number, 36) + suffix);
      try (SeekableByteChannel out =
          Files.newByteChannel(file, EnumSet.of(CREATE_NEW, WRITE), attributes)) {
        while (bytes.hasRemaining()) {
          out.write(bytes);
        }
        return file;
      } catch (FileAlreadyExistsException e) {
        log().debug("{} is another one's", file);
      }
    }
  }

  /** Windows keeps the file of a library that is in use; a later process can delete it. */
  private static void deleteOld(Path folder, String suffix) {
    if (!isWindows()) {
      return;
    }
    // What is younger may just be on its way into another process.
    FileTime limit = FileTime.from(Instant.now().minus(1, ChronoUnit.HOURS));
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, NAME + "-*" + suffix)) {
      for (Path file : files) {
        if (Files.getLastModifiedTime(file).compareTo(limit) < 0) {
          deleteUnlessInUse(file);
        }
      }
    } catch (IOException | DirectoryIteratorException e) {
      log().debug("old libraries in {} are left there: {}", folder, e.toString());
    }
  }

  private static void deleteUnlessInUse(Path file) {
    try {
      Files.delete(file);
    } catch (IOException e) {
      log().debug("{} is left there: {}", file, e.toString());
    }
  }

  private static String cure() {
    return isAndroid()
        ? "put lib" + NAME + ".so of this architecture, from the jar of backend-cpu, into jniLibs"
        : "the folder for temporary files must be writable and not mounted noexec:"
            + " -Djava.io.tmpdir=/folder names another";
  }

  /** Not a field: what logs nothing need not start the logging of the application. */
  private static Logger log() {
    return LoggerFactory.getLogger(NativeLoader.class);
  }
}
