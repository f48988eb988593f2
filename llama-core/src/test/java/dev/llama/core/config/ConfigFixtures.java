package dev.llama.core.config;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.llama.core.json.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.function.Executable;
import org.opentest4j.TestAbortedException;

/** The reference data, where it is present, and the small configuration that tests vary. */
public final class ConfigFixtures {
  /** A complete config.json of two layers. */
  static final Map<String, Object> SMALL =
      Map.of(
          "architectures", List.of("LlamaForCausalLM"),
          "model_type", "llama",
          "vocab_size", 512,
          "hidden_size", 64,
          "intermediate_size", 176,
          "num_hidden_layers", 2,
          "num_attention_heads", 4,
          "max_position_embeddings", 4096);

  private ConfigFixtures() {}

  /** Returns a path among the reference data; skips the test where there is none. */
  public static Path path(String name) {
    Path path = Paths.get(System.getProperty("llama.fixtures", "no-fixtures"), name);
    assumeTrue(Files.exists(path), () -> "reference data absent: " + path);
    return path;
  }

  /**
   * Returns tests that read reference data. Where there is none, one test that is skipped: a
   * factory that is skipped itself does not appear in reports.
   */
  public static List<DynamicTest> tests(Callable<List<DynamicTest>> factory) throws Exception {
    try {
      return factory.call();
    } catch (TestAbortedException e) {
      Executable skipped =
          () -> {
            throw e;
          };
      return List.of(DynamicTest.dynamicTest(e.getMessage(), skipped));
    }
  }

  public static Map<String, Object> json(String name) {
    return Json.readObject(path(name), 1 << 26);
  }

  public static List<Path> folders(String name) throws IOException {
    try (Stream<Path> children = Files.list(path(name))) {
      return children.filter(Files::isDirectory).sorted().collect(Collectors.toList());
    }
  }

  /** Writes a text file. */
  public static Path write(Path folder, String name, String text) {
    try {
      return Files.write(folder.resolve(name), text.getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new AssertionError(e);
    }
  }

  @SuppressWarnings("unchecked")
  public static Map<String, Object> map(Object value) {
    return (Map<String, Object>) value;
  }

  @SuppressWarnings("unchecked")
  public static <T> List<T> list(Object value) {
    return (List<T>) value;
  }
}
