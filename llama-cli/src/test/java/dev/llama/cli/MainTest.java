package dev.llama.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MainTest {
  @AfterEach
  void logAsBefore() {
    System.clearProperty("org.slf4j.simpleLogger.defaultLogLevel");
  }

  @Test
  void withoutACommandTheHelpNamesAllOfThem() {
    Cli run = Cli.fake();
    assertEquals(0, run.exitCode());
    for (String command :
        new String[] {"generate", "tokenize", "inspect", "presets", "bench", "eval", "backends"}) {
      assertTrue(run.out().contains("\n  " + command), run.out());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"generate", "tokenize", "inspect", "presets", "bench", "eval", "backends"})
  void helpOfEachCommandHasExamplesAndFitsTheWidth(String command) {
    Cli run = Cli.fake("help", command);
    assertEquals(0, run.exitCode());
    assertTrue(run.out().startsWith("Usage: llama " + command), run.out());
    assertTrue(run.out().contains("Examples:\n  llama " + command), run.out());
    assertTrue(run.out().lines().allMatch(line -> line.length() <= 100), run.out());
    assertEquals(run.out(), Cli.fake(command, "--help").out());
  }

  @Test
  void versionIsShown() {
    Cli run = Cli.fake("--version");
    assertEquals(0, run.exitCode());
    assertTrue(run.out().startsWith("llama "), run.out());
  }

  @Test
  void unknownCommandIsAUsageErrorWithASuggestion() {
    Cli run = Cli.fake("generat");
    assertEquals(2, run.exitCode());
    assertTrue(run.err().contains("generate"), run.err());
  }

  @Test
  void libraryExceptionIsOneLine() {
    Cli run = Cli.fake("generate", "-m", "broken", "x");
    assertEquals(1, run.exitCode());
    assertEquals("llama: broken: vocab_size is -1, expected 1 or more\n", run.err());
  }

  @Test
  void verboseAddsTheTrace() {
    Cli run = Cli.fake("generate", "-m", "broken", "-v", "x");
    assertEquals(1, run.exitCode());
    assertTrue(run.err().contains("\tat dev.llama.cli.FakeLoader"), run.err());
    assertTrue(Cli.fake("-v", "generate", "-m", "broken", "x").err().contains("\tat "));
  }

  @Test
  void outOfMemoryIsOneLineWithTheCure() {
    Cli run = Cli.fake("generate", "-m", "huge", "x");
    assertEquals(1, run.exitCode());
    assertEquals(1, run.err().lines().count(), run.err());
    assertTrue(run.err().contains("-Xmx"), run.err());
  }

  @Test
  void bugIsOneLineToo() {
    Cli run = Cli.fake("generate", "-m", "bug", "x");
    assertEquals(1, run.exitCode());
    assertEquals(1, run.err().lines().count(), run.err());
    assertTrue(run.err().contains("no such luck"), run.err());
  }

  @Test
  void missingAndBrokenTextFilesAreNamed(@TempDir Path dir) throws IOException {
    Path missing = dir.resolve("missing.txt");
    Cli run = Cli.fake("generate", "-m", "any", "-f", missing.toString());
    assertEquals(1, run.exitCode());
    assertEquals("llama: " + missing + ": no such file\n", run.err());

    Path latin = Files.write(dir.resolve("latin.txt"), "é".getBytes(StandardCharsets.ISO_8859_1));
    run = Cli.fake("generate", "-m", "any", "-f", latin.toString());
    assertEquals(1, run.exitCode());
    assertEquals("llama: " + latin + ": not UTF-8 text\n", run.err());
  }

  @Test
  void readerThatHasGoneEndsTheRunQuietly() {
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int exitCode = Cli.run("", failing("Broken pipe"), err, "help", "generate");
    assertEquals("", err.toString(StandardCharsets.UTF_8));
    assertEquals(141, exitCode);
  }

  @Test
  void fullDiskIsReported() {
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int exitCode = Cli.run("", failing("No space left on device"), err, "help", "generate");
    assertEquals(1, exitCode);
    assertEquals(
        "llama: cannot write the output: No space left on device\n",
        err.toString(StandardCharsets.UTF_8));
  }

  @Test
  void fullDiskIsReportedOnceWhereverItIsNoticed() {
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    int exitCode = Cli.run("", failing("No space left on device"), err, "backends");
    assertEquals(1, exitCode);
    assertEquals(1, err.toString(StandardCharsets.UTF_8).lines().count());
  }

  @Test
  void noColourUnlessThereIsATerminal() {
    assertFalse(Cli.fake("--help").out().contains("\u001b"));
    assertFalse(Cli.fake("nonsense").err().contains("\u001b"));
  }

  private static OutputStream failing(String message) {
    return new OutputStream() {
      @Override
      public void write(int b) throws IOException {
        throw new IOException(message);
      }
    };
  }
}
