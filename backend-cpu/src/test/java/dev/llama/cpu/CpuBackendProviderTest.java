package dev.llama.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.BackendException;
import dev.llama.InvalidInputException;
import dev.llama.spi.Availability;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.BackendProvider;
import dev.llama.spi.Providers;
import java.io.File;
import java.io.IOException;
import java.lang.reflect.Method;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** The provider is found, says what runs, and does without OpenBLAS where it must. */
class CpuBackendProviderTest {
  private static BackendOptions variant(String name) {
    return new BackendOptions(Optional.of(name), 1);
  }

  @Test
  void isListedAsAService() {
    List<BackendProvider> found =
        Providers.find(
            BackendProvider.class,
            e -> {
              throw new AssertionError(e);
            });
    assertTrue(found.stream().anyMatch(p -> p instanceof CpuBackendProvider));
    assertEquals("cpu", new CpuBackendProvider().name());
  }

  @Test
  void variantsSayWhatRuns() {
    try (Backend reference = new CpuBackendProvider().open(variant("reference"))) {
      assertEquals("cpu:reference — plain Java; 1 thread", reference.description());
    }
    try (Backend best = new CpuBackendProvider().open(BackendOptions.defaults())) {
      assertTrue(best.description().startsWith("cpu:"), best.description());
      assertTrue(best.gradOps().isPresent());
    }
  }

  @Test
  void unknownVariantsAndThreadsAreRefused() {
    CpuBackendProvider provider = new CpuBackendProvider();
    BackendException e = assertThrows(BackendException.class, () -> provider.open(variant("mkl")));
    assertEquals(
        "cpu has no variant \"mkl\"; it has: native, openblas, vector, reference", e.getMessage());
    assertThrows(
        InvalidInputException.class,
        () -> provider.open(new BackendOptions(Optional.of("reference"), -1)));
  }

  @Test
  void withAllLibrariesTheScoreIsHighestAndNothingIsLost() {
    Availability availability = new CpuBackendProvider().probe();
    assertEquals(100, availability.score(), availability.toString());
    assertTrue(availability.reason().contains("kernels"), availability.reason());
    assertTrue(availability.loss().isEmpty());
  }

  /** The least instruction set leaves large products to it, whatever this CPU has. */
  @Test
  void withoutOpenBlasTheNativeKernelsRunAndTheCureIsSaid() throws Exception {
    System.setProperty(NativeLibrary.PROPERTY, NativeLibrary.load().levels().get(0).toString());
    try {
      check("score=100", " kernels and OpenBLAS", "cpu:native");
      check("score=100", "org.bytedeco:openblas", "cpu:native", "-x86_64.jar", "-arm64.jar");
      check("score=100", "org.bytedeco:openblas", "cpu:native", "bytedeco");
    } finally {
      System.clearProperty(NativeLibrary.PROPERTY);
    }
  }

  /** Opens the provider in a class loader that lacks some of the class path. */
  private static void check(String score, String cure, String runs, String... missing)
      throws Exception {
    try (URLClassLoader loader = without(missing)) {
      Thread thread = Thread.currentThread();
      ClassLoader before = thread.getContextClassLoader();
      thread.setContextClassLoader(loader);
      try {
        Object provider =
            loader
                .loadClass(CpuBackendProvider.class.getName())
                .getDeclaredConstructor()
                .newInstance();
        Object availability = provider.getClass().getMethod("probe").invoke(provider);
        String told = availability.toString();
        assertTrue(told.contains(score + ","), told);
        assertTrue(told.contains(cure), told);
        Class<?> options = loader.loadClass(BackendOptions.class.getName());
        Method open = provider.getClass().getMethod("open", options);
        Object defaults = options.getMethod("defaults").invoke(null);
        AutoCloseable backend = (AutoCloseable) open.invoke(provider, defaults);
        String description =
            (String)
                loader.loadClass(Backend.class.getName()).getMethod("description").invoke(backend);
        assertTrue(description.startsWith(runs), description);
        backend.close();
      } finally {
        thread.setContextClassLoader(before);
      }
    }
  }

  private static URLClassLoader without(String... missing) throws IOException {
    List<URL> urls = new ArrayList<>();
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
      boolean kept = true;
      for (String part : missing) {
        kept &= !(entry.matches(".*bytedeco.*") && entry.contains(part));
      }
      if (kept) {
        urls.add(url(entry));
      }
    }
    assertFalse(urls.isEmpty());
    return new URLClassLoader(urls.toArray(new URL[0]), ClassLoader.getPlatformClassLoader());
  }

  private static URL url(String entry) throws MalformedURLException {
    return new File(entry).toURI().toURL();
  }
}
