package dev.llama.train.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.FormatException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is a document in which file, and what a broken file is told. */
final class DocumentReaderTest {
  @TempDir private Path folder;

  private DataOptions options(String name, String content) throws IOException {
    Path file = folder.resolve(name);
    Files.write(file, content.getBytes(StandardCharsets.UTF_8));
    return DataOptions.of(List.of(file));
  }

  /** All documents, read once from the start and once block by block, which must be the same. */
  private static List<String> read(DataOptions options) throws IOException {
    List<String> inBlocks = new ArrayList<>();
    try (Corpus corpus = new Corpus(options.files(), options, 0, 1)) {
      corpus.blocks().forEach(b -> corpus.read(b, Corpus.Side.TRAINING, inBlocks));
    }
    List<String> whole = new ArrayList<>();
    try (DataFiles files = new DataFiles(options.files(), options)) {
      for (int i = 0; i < files.count(); i++) {
        try (DocumentReader reader = files.open(i, 0, 1)) {
          for (String next = reader.next(); next != null; next = reader.next()) {
            whole.add(next);
          }
        }
      }
    }
    assertEquals(whole, inBlocks);
    return whole;
  }

  private static String fault(DataOptions options) {
    return assertThrows(FormatException.class, () -> read(options)).getMessage();
  }

  @Test
  void textEndsAtBlankLines() throws IOException {
    DataOptions options = options("a.txt", "\n  \none\n one b\r\n\n\t\n\ntwo\n\n");
    assertEquals(List.of("one\n one b", "two"), read(options));
  }

  @Test
  void textEndsAtLinesSeparatorsOrFiles() throws IOException {
    DataOptions options = options("a.txt", "\uFEFFone\n\n<|e|>\r\n\ntwo\n\nthree <|e|>\n <|e|> \n");
    assertEquals(
        List.of("one", "<|e|>", "two", "three <|e|>", " <|e|> "),
        read(options.documents(DocumentRule.line())));
    assertEquals(
        List.of("one", "two\n\nthree <|e|>"),
        read(options.documents(DocumentRule.separator("<|e|>"))));
    assertEquals(
        List.of("one\n\n<|e|>\n\ntwo\n\nthree <|e|>\n <|e|> "),
        read(options.documents(DocumentRule.file())));
  }

  @Test
  void longTextCrossesBuffers() throws IOException {
    StringBuilder text = new StringBuilder();
    List<String> expected = new ArrayList<>();
    for (int i = 0; i < 3000; i++) {
      String document = "ä".repeat(i % 97) + "line " + i + "\nmore 💡".repeat(i % 11);
      expected.add(document);
      text.append(document).append("\n\n");
    }
    assertEquals(expected, read(options("a.txt", text.toString())));
  }

  @Test
  void jsonLinesGiveOneField() throws IOException {
    DataOptions options =
        options(
            "a.jsonl", "{\"text\": \"one\\nb\", \"n\": 1}\n\n{\"text\": \"\"}\n{\"text\":\"💡\"}");
    assertEquals(List.of("one\nb", "💡"), read(options));
    DataOptions other = options("b.jsonl", "{\"story\": \"x\", \"text\": 7}");
    assertEquals(List.of("x"), read(other.jsonField("story")));
  }

  @Test
  void fastaIsCutIntoWindows() throws IOException {
    String records =
        "; comment\n>chr1 ACGT>x\nACGTac\r\ngtNNnN\nACG\n\n>chr2\n>chr3\nTT TT\n>chr4\nNN\n";
    DataOptions options = options("a.fa", records);
    assertEquals(List.of("ACGTACGT", "ACG", "TTTT"), read(options));
    FastaOptions keep =
        FastaOptions.defaults()
            .letterCase(FastaOptions.Case.KEEP)
            .gaps(FastaOptions.Gaps.KEEP)
            .window(5);
    assertEquals(List.of("ACGTa", "cgtNN", "nNACG", "TTTT", "NN"), read(options.fasta(keep)));
    FastaOptions drop = FastaOptions.defaults().gaps(FastaOptions.Gaps.DROP).window(6);
    assertEquals(List.of("ACGTAC", "GTACG", "TTTT"), read(options.fasta(drop)));
  }

  @Test
  void longFastaRecordsOfOneLineAreStreamed() throws IOException {
    String sequence = "ACGTTGCA".repeat(40_000);
    List<String> windows = read(options("a.fasta", ">r\n" + sequence));
    assertEquals(sequence, String.join("", windows));
    assertEquals(8192, windows.get(0).length());
  }

  @Test
  void compressedFilesAreUnpacked() throws IOException {
    Path file = folder.resolve("a.jsonl.gz");
    try (OutputStream out = new GZIPOutputStream(Files.newOutputStream(file))) {
      out.write("{\"text\": \"one\"}\n".getBytes(StandardCharsets.UTF_8));
    }
    assertEquals(List.of("one"), read(DataOptions.of(List.of(file))));
    byte[] bytes = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(bytes, bytes.length - 9));
    assertTrue(fault(DataOptions.of(List.of(file))).endsWith("copy it again"));
    Files.write(file, new byte[] {'n', 'o'});
    assertTrue(fault(DataOptions.of(List.of(file))).contains("a.jsonl.gz: "));
  }

  @Test
  void foldersAreSearchedInOrder() throws IOException {
    Files.createDirectories(folder.resolve("d/sub"));
    Files.createDirectories(folder.resolve("d/.hidden"));
    Files.writeString(folder.resolve("d/b.txt"), "b");
    Files.writeString(folder.resolve("d/a.jsonl"), "{\"text\": \"a\"}");
    Files.writeString(folder.resolve("d/picture.png"), "p");
    Files.writeString(folder.resolve("d/sub/c.fa"), ">c\nC");
    Files.writeString(folder.resolve("d/.hidden/d.txt"), "d");
    assertEquals(List.of("a", "b", "C"), read(DataOptions.of(List.of(folder.resolve("d")))));
    Files.createDirectories(folder.resolve("none"));
    String fault = fault(DataOptions.of(List.of(folder.resolve("none"))));
    assertTrue(fault.contains("none: holds no file whose name ends in"), fault);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          a.txt   | ''                       | is empty, 0 bytes
          a.txt   | ' ~ ~'                   | holds no documents
          a.fa    | '>only~>headers'         | holds no documents
          a.fa    | 'ACGT'                   | line 1: begins with 'A', expected '>'
          a.fa    | '>a~ACGT~AC5'            | line 3: '5' in a sequence
          a.fa    | '>a~ACGT>b~A'            | line 2: '>' in a sequence
          a.jsonl | '{"text":"a"}~{"text":'  | line 2: ends in the middle of the JSON
          a.jsonl | '{"text":"a"}~~[1]'      | line 3: holds an array of 1 elements
          a.jsonl | '{"text":1}'             | line 1: the field "text" holds 1
          a.jsonl | '{"txt":"a"}'            | line 1: no field "text" among [txt]
          """)
  void faultsNameFileAndLine(String name, String content, String problem) throws IOException {
    String message = fault(options(name, content.replace('~', '\n')));
    assertTrue(message.startsWith(folder.resolve(name) + ": "), message);
    assertTrue(message.contains(problem), message);
  }

  @ParameterizedTest
  @CsvSource({"a.txt,4", "a.jsonl,2"})
  void brokenUtf8IsFoundInItsLine(String name, int line) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.writeBytes("{\"text\": \"\uFFFD\"}\n{\"text\": \"".getBytes(StandardCharsets.UTF_8));
    if (line == 4) {
      bytes.writeBytes("\n\n".getBytes(StandardCharsets.UTF_8));
    }
    bytes.writeBytes(new byte[] {'a', (byte) 0xC3, 'b', '"', '}'});
    Path file = folder.resolve(name);
    Files.write(file, bytes.toByteArray());
    String message = fault(DataOptions.of(List.of(file)));
    assertTrue(message.contains("line " + line + ": the byte 0xc3 is not UTF-8"), message);
  }

  @Test
  void missingFilesAreNamed() {
    Path missing = folder.resolve("missing.txt");
    assertEquals(missing + ": no such file or folder", fault(DataOptions.of(List.of(missing))));
  }
}
