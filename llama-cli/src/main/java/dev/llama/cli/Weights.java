package dev.llama.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.stream.Stream;

/** The files that hold a model's weights. */
final class Weights {
  private Weights() {}

  /**
   * Returns the size of the weight files at a path.
   *
   * @return empty if there are none, as beside a configuration alone
   */
  static OptionalLong storedBytes(Path path) throws IOException {
    List<Path> files = List.of(path);
    if (Files.isDirectory(path)) {
      try (Stream<Path> entries = Files.list(path)) {
        files = entries.filter(Weights::holdsWeights).toList();
      }
    } else if (!path.toString().endsWith(".gguf")) {
      return OptionalLong.empty();
    }
    long bytes = 0;
    for (Path file : files) {
      bytes += Files.size(file);
    }
    return files.isEmpty() ? OptionalLong.empty() : OptionalLong.of(bytes);
  }

  /** Single file or shard; some publishers put the same weights beside them under another name. */
  private static boolean holdsWeights(Path file) {
    String name = file.getFileName().toString();
    return name.startsWith("model") && name.endsWith(".safetensors");
  }
}
