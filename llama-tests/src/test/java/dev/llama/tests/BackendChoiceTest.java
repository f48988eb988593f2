package dev.llama.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.BackendException;
import dev.llama.BackendInfo;
import dev.llama.Model;
import dev.llama.ModelOptions;
import dev.llama.spi.Availability;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.BackendProvider;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A demand is obeyed or refused with every reason; otherwise the best is taken, and says why. */
class BackendChoiceTest {

  private static BackendInfo backend(ModelOptions options) {
    try (Model model = Model.create(SessionTest.config(), 1, options)) {
      return model.backend();
    }
  }

  @Test
  void theBestIsChosenAndExplained() {
    BackendInfo info = backend(ModelOptions.defaults());
    assertEquals("cpu", info.name());
    assertTrue(info.description().startsWith("cpu:"), info.description());
    for (int i = 1; i < info.candidates().size(); i++) {
      assertTrue(info.candidates().get(i - 1).score() >= info.candidates().get(i).score());
    }
    assertTrue(info.candidates().stream().allMatch(c -> !c.reason().isEmpty()));
  }

  @Test
  void aDemandIsObeyed() {
    assertTrue(
        backend(ModelOptions.defaults().backend("cpu:reference").threads(1))
            .description()
            .contains("1 thread"));
    System.setProperty("llama.backend", "cpu:reference");
    try {
      assertTrue(backend(ModelOptions.defaults()).description().startsWith("cpu:reference"));
      assertTrue(
          backend(ModelOptions.defaults().backend("cpu:openblas"))
              .description()
              .startsWith("cpu:openblas"),
          "an option beats the property");
      System.setProperty("llama.backend", "nosuch");
      assertThrows(BackendException.class, () -> backend(ModelOptions.defaults()));
    } finally {
      System.clearProperty("llama.backend");
    }
  }

  @Test
  void aDemandThatCannotBeMetNamesWhatIsThere() {
    BackendException unknown =
        assertThrows(BackendException.class, () -> backend(ModelOptions.defaults().backend("tpu")));
    assertTrue(unknown.getMessage().contains("tpu"), unknown.getMessage());
    assertTrue(unknown.getMessage().contains("cpu (score "), unknown.getMessage());
    BackendException variant =
        assertThrows(
            BackendException.class, () -> backend(ModelOptions.defaults().backend("cpu:abacus")));
    assertTrue(variant.getMessage().contains("abacus"), variant.getMessage());
    assertTrue(variant.getMessage().contains("reference"), variant.getMessage());
  }

  /** A jar whose provider cannot be loaded is reported, and hides nobody. */
  @Test
  void aBrokenProviderHidesNoOther(@TempDir Path jar) throws IOException {
    Path services = Files.createDirectories(jar.resolve("META-INF/services"));
    Files.writeString(services.resolve("dev.llama.spi.BackendProvider"), "com.example.Missing\n");
    ClassLoader before = Thread.currentThread().getContextClassLoader();
    try (URLClassLoader loader = new URLClassLoader(new URL[] {jar.toUri().toURL()}, before)) {
      Thread.currentThread().setContextClassLoader(loader);
      BackendInfo info = backend(ModelOptions.defaults());
      assertEquals("cpu", info.name());
      assertTrue(
          info.candidates().stream()
              .anyMatch(c -> c.score() == 0 && c.reason().contains("com.example.Missing")),
          info.candidates().toString());
    } finally {
      Thread.currentThread().setContextClassLoader(before);
    }
  }

  /** A backend that promises much and cannot be opened costs a warning, not the program. */
  @Test
  void aBackendThatCannotBeOpenedFallsBack(@TempDir Path jar) throws IOException {
    Path services = Files.createDirectories(jar.resolve("META-INF/services"));
    Files.writeString(
        services.resolve("dev.llama.spi.BackendProvider"), Boastful.class.getName() + "\n");
    ClassLoader before = Thread.currentThread().getContextClassLoader();
    try (URLClassLoader loader = new URLClassLoader(new URL[] {jar.toUri().toURL()}, before)) {
      Thread.currentThread().setContextClassLoader(loader);
      BackendInfo info = backend(ModelOptions.defaults());
      assertEquals("cpu", info.name());
      assertTrue(
          info.candidates().stream()
              .anyMatch(c -> c.name().equals("boastful") && c.reason().contains("no such library")),
          info.candidates().toString());
      assertThrows(
          BackendException.class, () -> backend(ModelOptions.defaults().backend("boastful")));
    } finally {
      Thread.currentThread().setContextClassLoader(before);
    }
  }

  /** A provider whose device fails in the way of native code. */
  public static final class Boastful implements BackendProvider {
    /** For the service loader. */
    public Boastful() {}

    @Override
    public String name() {
      return "boastful";
    }

    @Override
    public Availability probe() {
      return Availability.usable(5000, "the fastest there is");
    }

    @Override
    public Backend open(BackendOptions options) {
      throw new UnsatisfiedLinkError("no such library");
    }
  }
}
