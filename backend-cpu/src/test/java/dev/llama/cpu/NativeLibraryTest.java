package dev.llama.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
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

  /** As build.sh computes it: the C files, the headers, the script, each in order of the names. */
  private static String digest() throws IOException {
    Path folder = Path.of(System.getProperty("basedir", "."), "src", "main", "native");
    ByteArrayOutputStream all = new ByteArrayOutputStream();
    for (String suffix : List.of(".c", ".h", "build.sh")) {
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
    assertEquals(NativeLoader.load().description(), NativeLoader.load().description());
  }

  @ParameterizedTest
  @CsvSource({
    "cpuFeatures, llama_cpu_features",
    "productF32, llama_product_f32_neon",
    "productBf16, llama_product_bf16_neon",
    "productQ80, llama_product_q8_0_neon",
    "productQ51, llama_product_q5_1_neon",
    "productQ4K, llama_product_q4_k_neon",
    "quantize, llama_quantize_neon",
    "attentionF16, llama_attention_f16_neon"
  })
  void methodsHaveTheirSymbols(String method, String symbol) {
    assertEquals(symbol, NativeLibrary.symbol(method, "neon"));
  }
}
