package dev.llama.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.llama.BackendException;
import dev.llama.BackendInfo.Candidate;
import dev.llama.Model;
import dev.llama.ModelOptions;
import dev.llama.naive.NaiveProvider;
import dev.llama.spi.BackendProvider;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A backend in a jar of its own, written against llama-api alone, is found, chosen by name, and
 * runs. {@link ArchitectureTest} holds what it depends on.
 */
class ForeignBackendTest {
  private static final String PACKAGE = "dev/llama/naive/";

  @TempDir static Path folder;
  private static Path jar;

  @BeforeAll
  static void buildJar() throws Exception {
    jar = folder.resolve("naive.jar");
    try (JarOutputStream out = new JarOutputStream(Files.newOutputStream(jar))) {
      out.putNextEntry(new JarEntry("META-INF/services/" + BackendProvider.class.getName()));
      out.write(NaiveProvider.class.getName().getBytes(StandardCharsets.UTF_8));
      for (Path classFile : classFiles()) {
        out.putNextEntry(new JarEntry(PACKAGE + classFile.getFileName()));
        Files.copy(classFile, out);
      }
    }
  }

  private static List<Path> classFiles() throws IOException, URISyntaxException {
    URI source = NaiveProvider.class.getProtectionDomain().getCodeSource().getLocation().toURI();
    Path path = Path.of(source);
    if (Files.isDirectory(path)) {
      return copies(path.resolve(PACKAGE));
    }
    try (FileSystem zip = FileSystems.newFileSystem(path)) {
      return copies(zip.getPath(PACKAGE));
    }
  }

  private static List<Path> copies(Path from) throws IOException {
    Path to = Files.createDirectories(folder.resolve("classes"));
    try (Stream<Path> files = Files.list(from)) {
      for (Path file : files.filter(f -> !f.toString().contains("Test")).toList()) {
        Files.copy(file, to.resolve(file.getFileName().toString()));
      }
    }
    try (Stream<Path> files = Files.list(to)) {
      return files.toList();
    }
  }

  /** Runs a task in an application that has the jar and does not know the classes in it. */
  private static <T> T withJar(Callable<T> task) throws Exception {
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    ClassLoader application =
        new ClassLoader(before) {
          @Override
          protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (name.startsWith("dev.llama.naive.")) {
              throw new ClassNotFoundException(name);
            }
            return super.loadClass(name, resolve);
          }
        };
    try (URLClassLoader loader = new URLClassLoader(new URL[] {jar.toUri().toURL()}, application)) {
      thread.setContextClassLoader(loader);
      return task.call();
    } finally {
      thread.setContextClassLoader(before);
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"models/gqa-8-2", "models/mistral-sw16", "models/rope-yarn", "models/bf16"})
  void itGivesTheGoldensOfCheckpoints(String name) throws Exception {
    Path path = Fixtures.path(name);
    JsonObject expected = Fixtures.json(path.resolve("expected.json"));
    double tolerance = expected.getAsJsonObject("tolerance").get("logits_abs").getAsDouble();
    check(path, expected, tolerance);
  }

  @ParameterizedTest
  @ValueSource(strings = {"rows256-Q4_K_M.gguf", "rows256-Q6_K.gguf", "llama-bpe-F16.gguf"})
  void itGivesTheGoldensOfQuantisedFiles(String name) throws Exception {
    JsonObject all = Fixtures.json(Fixtures.path("gguf/expected.json"));
    double tolerance = all.getAsJsonObject("tolerance").get("logits_abs").getAsDouble();
    JsonObject expected = all.getAsJsonObject("files").getAsJsonObject(name);
    check(Fixtures.path("gguf/" + name), expected, tolerance);
  }

  private static void check(Path path, JsonObject expected, double tolerance) throws Exception {
    withJar(
        () -> {
          try (Model model = Model.load(path, ModelOptions.defaults().backend("naive"))) {
            assertEquals("naive", model.backend().name());
            assertTrue(model.backend().description().contains("double arithmetic"));
            Goldens.check(model, expected, tolerance, 33);
          }
          return null;
        });
  }

  @Test
  void itIsListedAndPassedOverForABetterOne() throws Exception {
    withJar(
        () -> {
          try (Model model = Model.create(SessionTest.config(), 1)) {
            assertNotEquals("naive", model.backend().name());
            assertTrue(
                model
                    .backend()
                    .candidates()
                    .contains(new Candidate("naive", 1, "double arithmetic, for comparison")),
                model.backend().toString());
          }
          return null;
        });
  }

  @Test
  void withoutItsJarTheWishIsRefused() {
    BackendException e =
        assertThrows(
            BackendException.class,
            () -> Model.create(SessionTest.config(), 1, ModelOptions.defaults().backend("naive")));
    assertTrue(e.getMessage().contains("naive") && e.getMessage().contains("cpu"), e.getMessage());
  }

  @Test
  void itRefusesVariantsThatItDoesNotHave() throws Exception {
    withJar(
        () ->
            assertThrows(
                BackendException.class,
                () ->
                    Model.create(
                        SessionTest.config(), 1, ModelOptions.defaults().backend("naive:fast"))));
  }
}
