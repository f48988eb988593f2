package dev.llama.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.llama.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** train-tokenizer, generate-stories and generate-dna. */
class TrainingDataCommandsTest {
  @TempDir private Path folder;

  private String path(String name) {
    return folder.resolve(name).toString();
  }

  private static Cli ok(String... args) {
    Cli run = Cli.real(args);
    assertEquals(0, run.exitCode(), run.err());
    return run;
  }

  private static void wrongUsage(String problem, String... args) {
    Cli run = Cli.real(args);
    assertEquals(2, run.exitCode(), run.err());
    assertTrue(run.err().contains(problem), run.err());
    assertEquals("", run.out());
  }

  @ParameterizedTest
  @ValueSource(strings = {"train-tokenizer", "generate-stories", "generate-dna"})
  void helpFitsTheWidthAndHasExamples(String command) {
    Cli run = ok("help", command);
    assertTrue(run.out().contains("Examples:\n  llama " + command), run.out());
    assertTrue(run.out().lines().allMatch(line -> line.length() <= 100), run.out());
  }

  @Test
  void tokenizerIsTrainedOnStories() throws IOException {
    ok("generate-stories", "-n", "200", "--seed", "3", "--out", path("s.txt"));
    Cli run = ok("train-tokenizer", "--vocab-size", "700", "--out", path("t"), path("s.txt"));
    String model = path("t/tokenizer.model");
    String expected = model + ": 700 tokens (256 bytes, 188 merges, 256 special tokens) from ";
    assertTrue(run.out().startsWith(expected), run.out());
    Tokenizer tokenizer = Tokenizer.load(folder.resolve("t"));
    String story = Files.readString(folder.resolve("s.txt")).substring(0, 500);
    assertEquals(story, tokenizer.decode(tokenizer.encode(story)));
    assertTrue(tokenizer.encode(story).length < 300);
    wrongUsage("is already there", "train-tokenizer", "--bytes-only", "--out", path("t"));
    ok("train-tokenizer", "--bytes-only", "--out", path("t"), "--overwrite");
    assertEquals(256, Tokenizer.load(folder.resolve("t")).vocabularySize());
  }

  @Test
  void tokenizerReportsInJsonAndSaysWhenItIsSmaller() throws IOException {
    Files.writeString(folder.resolve("a.jsonl"), "{\"story\": \"abab\"}\n");
    Cli run =
        ok(
            "train-tokenizer",
            "--vocab-size=9999",
            "--special-tokens=2",
            "--json-field=story",
            "--format=json",
            "--out=" + path("t"),
            path("a.jsonl"));
    JsonObject json = run.json();
    assertEquals(259, json.get("vocabulary_size").getAsInt());
    assertEquals(1, json.get("merges").getAsInt());
    assertEquals(4, json.get("text_bytes").getAsInt());
    assertTrue(run.err().contains("259 tokens instead of 9999"), run.err());
  }

  @Test
  void wrongUsageOfTrainTokenizerIsExplained() throws IOException {
    Files.writeString(folder.resolve("a.txt"), "text");
    String file = path("a.txt");
    String out = "--out=" + path("t");
    wrongUsage("Missing required option: '--out=DIR'", "train-tokenizer", file);
    wrongUsage("Missing --vocab-size", "train-tokenizer", out, file);
    wrongUsage("Missing files", "train-tokenizer", out, "--vocab-size=999");
    wrongUsage("needs no files", "train-tokenizer", out, "--bytes-only", file);
    wrongUsage("expected 513", "train-tokenizer", out, "--vocab-size=300", file);
    wrongUsage("1 special tokens", "train-tokenizer", out, "--bytes-only", "--special-tokens=1");
    wrongUsage(
        "exclude each other",
        "train-tokenizer",
        out,
        "--vocab-size=999",
        "--documents=line",
        "--separator=x",
        file);
    wrongUsage("--window", "train-tokenizer", out, "--vocab-size=999", "--window=0", file);
    Cli missing = Cli.real("train-tokenizer", out, "--vocab-size=999", path("none.txt"));
    assertEquals(1, missing.exitCode());
    assertTrue(missing.err().contains("none.txt: no such file"), missing.err());
    assertFalse(Files.exists(folder.resolve("t")));
  }

  @Test
  void storiesComeAsTextOrJsonLines() throws IOException {
    String text = ok("generate-stories", "-n", "3", "--seed", "1").out();
    assertEquals(3, text.split("\n\n").length);
    assertEquals(text, ok("generate-stories", "-n", "3", "--seed", "1").out());
    assertNotEquals(text, ok("generate-stories", "-n", "3", "--seed", "2").out());
    String[] lines = ok("generate-stories", "-n3", "--seed=1", "--format=json").out().split("\n");
    for (int i = 0; i < 3; i++) {
      JsonObject json = JsonParser.parseString(lines[i]).getAsJsonObject();
      assertEquals(text.split("\n\n")[i].strip(), json.get("text").getAsString());
    }
    ok("generate-stories", "-n", "3", "--seed", "1", "--out", path("s.txt"));
    assertEquals(text, Files.readString(folder.resolve("s.txt")));
    String brief = ok("generate-stories", "-n", "3", "--seed", "1", "--short").out();
    assertEquals(3, brief.split("\n\n").length);
    assertTrue(brief.length() < text.length() / 2, brief);
    wrongUsage("expected at least 1", "generate-stories", "-n", "0");
  }

  @Test
  void dnaIsFasta() throws IOException {
    String fasta = ok("generate-dna", "-n", "2", "--length", "130", "--seed", "4").out();
    String lines = "(?:[ACGTacgt]{60}\n){2}[ACGTacgt]{10}\n";
    assertTrue(
        fasta.matches(">synthetic-0 seed 4\n" + lines + ">synthetic-1 seed 4\n" + lines), fasta);
    ok("generate-dna", "-n", "2", "--length", "130", "--seed", "4", "-o", path("d.fa"));
    assertEquals(fasta, Files.readString(folder.resolve("d.fa")));
    wrongUsage("--length", "generate-dna", "--length", "0");
    ok("generate-dna", "-n", "2", "--length", "130", "--seed", "4", "-o", path("new/d.fa"));
    assertEquals(fasta, Files.readString(folder.resolve("new/d.fa")));
    Cli underFile = Cli.real("generate-dna", "-o", path("d.fa/d.fa"));
    assertEquals(1, underFile.exitCode());
    assertTrue(underFile.err().contains(path("d.fa")), underFile.err());
  }
}
