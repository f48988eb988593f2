package dev.llama.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonObject;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command {@code quantize}, on a real model. */
class QuantizeCommandTest {
  private static String stories;

  @TempDir Path folder;
  private String out;

  @BeforeAll
  static void findTheModel() {
    Path fixtures = Path.of(System.getProperty("llama.fixtures", "missing"));
    assumeTrue(Files.isDirectory(fixtures), "no reference data at " + fixtures);
    stories = fixtures.resolve("stories260K").toString();
  }

  @BeforeEach
  void nameTheOutput() {
    out = folder.resolve("out.gguf").toString();
  }

  @Test
  void whatItWritesGeneratesText() {
    Cli run = Cli.real("quantize", stories, out, "--type", "q8_0", "-t", "2");
    assertEquals(0, run.exitCode(), run.err());
    assertTrue(run.out().contains("Q8_0") && run.out().contains("bits per element"), run.out());
    Cli text = Cli.real("generate", "-m", out, "--greedy", "-n", "20", "Once upon a time");
    assertEquals(0, text.exitCode(), text.err());
    assertTrue(text.out().startsWith("Once upon a time, there was a"), text.out());
  }

  @Test
  void reportsEveryTensorAsJson() {
    Cli run = Cli.real("quantize", stories, out, "--type", "Q4_K", "--format", "json");
    JsonObject json = run.json();
    assertEquals("Q4_K_M", json.get("type").getAsString());
    assertEquals(47, json.getAsJsonArray("tensors").size());
    JsonObject first = json.getAsJsonArray("tensors").get(0).getAsJsonObject();
    assertEquals("token_embd.weight", first.get("name").getAsString());
    assertEquals("F32", first.get("from").getAsString());
    assertEquals("Q8_0", first.get("to").getAsString());
    assertTrue(first.get("error").getAsDouble() > 0);
  }

  @Test
  void anExistingFileNeedsForce() throws IOException {
    Files.writeString(Path.of(out), "precious");
    Cli run = Cli.real("quantize", stories, out, "--type", "Q8_0");
    assertEquals(1, run.exitCode());
    assertTrue(run.err().contains("--force"), run.err());
    assertEquals("precious", Files.readString(Path.of(out)));
    assertEquals(0, Cli.real("quantize", stories, out, "--type", "Q8_0", "--force").exitCode());
    Cli again = Cli.real("quantize", out, out + "2", "--type", "Q4_0");
    assertEquals(1, again.exitCode());
    assertTrue(again.err().contains("--allow-requantize"), again.err());
    assertFalse(Files.exists(Path.of(out + "2")));
  }

  @Test
  void wrongUsage() {
    Cli noType = Cli.real("quantize", stories, out);
    assertEquals(2, noType.exitCode());
    assertTrue(noType.err().contains("--type"), noType.err());
    Cli badType = Cli.real("quantize", stories, out, "--type", "Q9");
    assertEquals(2, badType.exitCode());
    assertTrue(badType.err().contains("Q9") && badType.err().contains("Q4_K_M"), badType.err());
    Cli badThreads = Cli.real("quantize", stories, out, "--type", "Q8_0", "-t", "-1");
    assertEquals(2, badThreads.exitCode());
    assertTrue(badThreads.err().contains("--threads"), badThreads.err());
    assertFalse(Files.exists(Path.of(out)));
  }

  @Test
  void helpListsTheTypes() {
    Cli help = Cli.real("quantize", "--help");
    assertEquals(0, help.exitCode());
    assertTrue(help.out().contains("Q4_K_S") && help.out().contains("Q2_K"), help.out());
  }
}
