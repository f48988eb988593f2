package dev.llama.cli;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.function.LongFunction;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** Options of the commands that make data to train on, and where these go. */
final class SampleOutput {
  @Option(
      names = "--seed",
      paramLabel = "S",
      defaultValue = "0",
      description = "The same seed gives the same data (default: 0).")
  private long seed;

  @Option(
      names = {"-o", "--out"},
      paramLabel = "FILE",
      description = "Write to this file, replacing it (default: stdout).")
  private Path file;

  long seed() {
    return seed;
  }

  /** Refuses a number below 1. */
  static void requirePositive(CommandSpec spec, String option, long value) {
    if (value < 1) {
      throw new ParameterException(
          spec.commandLine(),
          "Invalid value for option '" + option + "': " + value + ", expected at least 1");
    }
  }

  /** Writes numbered texts, the file only when all are there. */
  void write(Streams io, long count, LongFunction<String> text) throws IOException {
    if (file == null) {
      for (long number = 0; number < count; number++) {
        io.out().print(text.apply(number));
        if (io.out().checkError()) {
          break; // told by flush
        }
      }
      io.flush();
      return;
    }
    if (file.getParent() != null) {
      Files.createDirectories(file.getParent());
    }
    Path partial = file.resolveSibling(file.getFileName() + ".partial");
    try (Writer out = Files.newBufferedWriter(partial, StandardCharsets.UTF_8);
        Progress progress = new Progress(io, "Writing", " texts", 1)) {
      for (long number = 0; number < count; number++) {
        out.write(text.apply(number));
        progress.update(number + 1, count);
      }
    } catch (IOException | UncheckedIOException e) {
      Files.deleteIfExists(partial);
      throw e;
    }
    Files.move(partial, file, StandardCopyOption.REPLACE_EXISTING);
  }
}
