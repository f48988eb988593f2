package dev.llama.cpu;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.HashSet;
import java.util.Set;

/** How many cores there are: two threads on one core gain nothing here, they wait for memory. */
final class Processors {
  private Processors() {}

  /** Returns the number of cores, as far as the system tells; at most what the JVM may use. */
  static int cores() {
    int usable = Runtime.getRuntime().availableProcessors();
    int cores = cores(Paths.get("/sys/devices/system/cpu"));
    return cores == 0 ? usable : Math.min(cores, usable);
  }

  /**
   * Counts cores as Linux lists them.
   *
   * @param folder with a folder for each processor
   * @return 0 if it does not say
   */
  static int cores(Path folder) {
    Set<String> siblings = new HashSet<>();
    try (DirectoryStream<Path> processors = Files.newDirectoryStream(folder)) {
      for (Path processor : processors) {
        Path list = processor.resolve("topology").resolve("thread_siblings_list");
        if (Files.exists(list)) {
          siblings.add(new String(Files.readAllBytes(list), StandardCharsets.US_ASCII).trim());
        }
      }
    } catch (IOException | RuntimeException e) {
      return 0; // not Linux, or closed off: nothing is lost but the number
    }
    return siblings.size();
  }
}
