package dev.llama.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.BackendException;
import dev.llama.cpu.NativeLibrary.Level;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Method;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The libraries in the repository are those of the sources, and can be loaded more than once. */
class NativeLibraryTest {

  /** If this fails: {@code mvn test-compile -Pnative -pl backend-cpu -am}, and commit. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "/linux-x86-64/libllama_cpu.so",
        "/linux-aarch64/libllama_cpu.so",
        "/win32-x86-64/llama_cpu.dll"
      })
  void librariesAreBuiltFromTheSources(String resource) throws IOException {
    try (InputStream library = NativeLibrary.class.getResourceAsStream(resource)) {
      assertNotNull(library, resource);
      String content = new String(library.readAllBytes(), StandardCharsets.ISO_8859_1);
      assertTrue(content.contains("sources " + digest()), resource + " is out of date");
    }
  }

  /** As build.sh computes it: C files, headers, scripts, each in the order of their names. */
  private static String digest() throws IOException {
    Path folder = Path.of(System.getProperty("basedir", "."), "src", "main", "native");
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (String suffix : List.of(".c", ".h", ".sh")) {
      try (Stream<Path> files = Files.list(folder)) {
        List<Path> sources =
            files
                .filter(file -> file.getFileName().toString().endsWith(suffix))
                .sorted()
                .collect(Collectors.toList());
        for (Path source : sources) {
          all.write(Files.readAllBytes(source));
        }
      }
    }
    try {
      byte[] hash = MessageDigest.getInstance("SHA-256").digest(all.toByteArray());
      StringBuilder text = new StringBuilder();
      for (byte b : hash) {
        text.append(String.format("%02x", b));
      }
      return text.toString();
    } catch (NoSuchAlgorithmException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void loadsOnceAndTellsTheSame() {
    assertSame(NativeLibrary.load(), NativeLibrary.load());
    assertTrue(NativeLibrary.load().levels().contains(NativeLibrary.load().level()));
  }

  @Test
  void theBestLevelThatTheCpuHasIsChosen() {
    assertEquals(List.of(), Level.supported("linux-x86-64", 0));
    assertEquals(List.of(Level.AVX2), Level.supported("linux-x86-64", 1));
    // A CPU with the dot products of AVX-512 VNNI, but registers that the system does not keep.
    assertEquals(List.of(Level.AVX2), Level.supported("win32-x86-64", 1 | 4));
    assertEquals(
        List.of(Level.AVX2, Level.AVX512, Level.AVX512VNNI, Level.AMX),
        Level.supported("linux-x86-64", 63));
    assertEquals(List.of(Level.NEON, Level.DOTPROD), Level.supported("linux-aarch64", 3));
    assertEquals(Level.AVX512, Level.choose(List.of(Level.AVX2, Level.AVX512), null));
    assertEquals(Level.AVX2, Level.choose(List.of(Level.AVX2, Level.AVX512), "avx2"));
  }

  @Test
  void aCpuThatIsTooOldAndALevelThatItLacksAreRefused() {
    String old =
        assertThrows(BackendException.class, () -> Level.choose(List.of(), null)).getMessage();
    assertTrue(old.startsWith("the native kernels need a CPU with AVX2, FMA and F16C, or"), old);
    String lacking =
        assertThrows(BackendException.class, () -> Level.choose(List.of(Level.AVX2), "avx512"))
            .getMessage();
    assertEquals("-Dllama.cpu.level=avx512 is not one of what this CPU can run: [avx2]", lacking);
  }

  /** An application server has the library in several class loaders, each with its own copy. */
  @Test
  void aSecondClassLoaderLoadsItToo() throws Exception {
    NativeLibrary.load();
    try (URLClassLoader loader = new URLClassLoader(classPath(), null)) {
      Class<?> second = loader.loadClass(NativeLibrary.class.getName());
      assertNotSame(NativeLibrary.class, second);
      Method load = second.getDeclaredMethod("load");
      load.setAccessible(true);
      assertEquals(second, load.invoke(null).getClass());
    }
  }

  private static URL[] classPath() throws MalformedURLException {
    List<URL> urls = new ArrayList<>();
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
      urls.add(new File(entry).toURI().toURL());
    }
    return urls.toArray(new URL[0]);
  }

  @ParameterizedTest
  @CsvSource({
    "-Djava.io.tmpdir=/does/not/exist, -Djava.io.tmpdir=/folder names another, cpu:openblas",
    "-Dllama.cpu.level=mmx, =mmx is not one of what this CPU can run: [, cpu:openblas",
    "-Dos.arch=sparc, there are no native kernels for linux-sparc, cpu:reference"
  })
  void whatKeepsItFromLoadingIsNamedWithTheCure(String option, String said, String runs)
      throws Exception {
    String told = probeWith(option);
    assertTrue(told.contains(said), told);
    assertTrue(told.contains("generation is several times slower without native kernels"), told);
    assertTrue(told.contains(runs), told);
  }

  @Test
  void aLevelCanBeNamedAndLeavesNoFile(@TempDir Path folder) throws Exception {
    Level least = NativeLibrary.load().levels().get(0);
    String told = probeWith("-Dllama.cpu.level=" + least, "-Djava.io.tmpdir=" + folder);
    assertTrue(told.contains("reason=" + least.description() + " kernels"), told);
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(0, files.filter(file -> file.toString().contains("llama")).count());
    }
  }

  /** Returns what {@link CpuBackendProvider#probe} says in a new JVM with these options. */
  private static String probeWith(String... options) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(options));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Probe.class.getName()));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    String told = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertEquals(0, process.waitFor(), told);
    return told;
  }

  /** Prints what the provider says, and what runs then. */
  static final class Probe {
    public static void main(String[] arguments) {
      System.out.println(new CpuBackendProvider().probe());
      try (Backend best = new CpuBackendProvider().open(BackendOptions.defaults())) {
        System.out.println(best.description());
      }
    }
  }
}
