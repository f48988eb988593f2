package dev.llama.train.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.InvalidInputException;
import dev.llama.Tokenizer;
import dev.llama.TrainingException;
import dev.llama.train.BatchSource;
import dev.llama.train.TokenBatch;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.OptionalInt;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Packing, order, split and resumption. */
final class DatasetTest {
  @TempDir private Path folder;

  private static final Tokenizer FRAMED = new Bytes(true);

  /** Numbered documents of various lengths, in two files. */
  private DataOptions documents(int count) throws IOException {
    List<String> lines = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      lines.add(i + " " + "x".repeat(i * 7 % 23));
    }
    Path a = folder.resolve("a.txt");
    Path b = folder.resolve("b.txt");
    Files.write(a, lines.subList(0, count / 3));
    Files.write(b, lines.subList(count / 3, count));
    return DataOptions.of(List.of(a, b)).documents(DocumentRule.line());
  }

  /** Small blocks, so that there are many of them. */
  private static Dataset open(DataOptions options) {
    return Dataset.open(options, FRAMED, FRAMED.bos(), FRAMED.eos(), 50);
  }

  /** Takes batches apart again: every document's tokens, parts of one joined. */
  private static List<String> unpack(BatchSource source, int rows, int length, int batches) {
    TokenBatch batch = new TokenBatch(rows, length);
    List<String> documents = new ArrayList<>();
    StringBuilder open = new StringBuilder();
    for (int n = 0; n < batches && source.next(batch); n++) {
      for (int i = 0; i < rows * length; i++) {
        int token = batch.tokens()[i];
        int target = batch.targets()[i];
        int document = batch.documents()[i];
        if (document == TokenBatch.PADDING) {
          assertEquals(TokenBatch.NO_TARGET, target);
          continue;
        }
        boolean startsRow = i % length == 0;
        assertTrue(!startsRow || document == 0, "rows number their documents from 0");
        if (token == Bytes.BEGIN) {
          assertEquals(0, open.length(), "a document begins inside another");
          assertTrue(startsRow || document == batch.documents()[i - 1] + 1);
        } else {
          assertTrue(startsRow || document == batch.documents()[i - 1]);
          open.append((char) token);
        }
        if (target == Bytes.END) {
          documents.add(open.toString());
          open.setLength(0);
        } else if (i % length < length - 1) {
          assertEquals(batch.tokens()[i + 1], target);
        }
      }
    }
    return documents;
  }

  @Test
  void rowsHoldEveryDocumentOnce() throws IOException {
    DataOptions options = documents(200).shuffle(false).validationFiles(List.of());
    try (Dataset data = open(options)) {
      List<String> expected = new ArrayList<>();
      for (Path file : options.files()) {
        expected.addAll(Files.readAllLines(file));
      }
      List<String> found = unpack(data.training(), 3, 17, 60);
      assertTrue(found.size() > 50);
      assertEquals(expected.subList(0, found.size()), found);
      assertEquals(200, data.trainingDocuments());
      assertTrue(data.validation().isEmpty());
    }
  }

  @Test
  void rowsAreFull() throws IOException {
    try (Dataset data = open(documents(100))) {
      TokenBatch batch = new TokenBatch(4, 64);
      BatchSource source = data.training();
      for (int n = 0; n < 30; n++) {
        assertTrue(source.next(batch));
        for (int target : batch.targets()) {
          assertNotEquals(TokenBatch.NO_TARGET, target);
        }
      }
      assertTrue(source.epochs() > 2, "epochs " + source.epochs());
    }
  }

  @Test
  void everyPassHasAllDocumentsInAnotherOrder() throws IOException {
    DataOptions options = documents(300);
    try (Dataset data = open(options)) {
      List<String> found = unpack(data.training(), 1, 32, 1000);
      List<String> first = found.subList(0, 300);
      List<String> second = found.subList(300, 600);
      assertEquals(300, new TreeSet<>(first).size());
      assertEquals(new TreeSet<>(first), new TreeSet<>(second));
      assertNotEquals(first, second);
      // Mixed well: neighbours in the files are rarely neighbours in the pass.
      int neighbours = 0;
      for (int i = 1; i < 300; i++) {
        neighbours += Math.abs(number(first.get(i)) - number(first.get(i - 1))) == 1 ? 1 : 0;
      }
      assertTrue(neighbours < 20, neighbours + " neighbours");
    }
    try (Dataset same = open(options);
        Dataset other = open(options.seed(1))) {
      List<String> again = unpack(same.training(), 1, 32, 300);
      assertEquals(again, unpack(same.training(), 1, 32, 300));
      assertNotEquals(again, unpack(other.training(), 1, 32, 300));
    }
  }

  private static int number(String document) {
    return Integer.parseInt(document.substring(0, document.indexOf(' ')));
  }

  @Test
  void resumesExactlyAnywhere() throws IOException {
    DataOptions options = documents(120).validationFraction(0.1);
    try (Dataset data = open(options);
        Dataset reopened = open(options)) {
      BatchSource source = data.training();
      TokenBatch expected = new TokenBatch(2, 19);
      TokenBatch found = new TokenBatch(2, 19);
      for (int n = 0; n < 150; n++) {
        String state = source.state();
        assertFalse(state.contains("\n"));
        double epochs = source.epochs();
        source.next(expected);
        BatchSource resumed = reopened.training();
        resumed.restore(state);
        assertEquals(epochs, resumed.epochs(), 0.01);
        resumed.next(found);
        assertArrayEquals(expected.tokens(), found.tokens());
        assertArrayEquals(expected.targets(), found.targets());
        assertArrayEquals(expected.documents(), found.documents());
        assertEquals(source.state(), resumed.state());
      }
    }
  }

  @Test
  void splitDependsOnContentAlone() throws IOException {
    DataOptions options = documents(600).validationFraction(0.2);
    DataOptions reversed =
        new DataOptions(
            List.of(options.files().get(1), options.files().get(0)),
            options.format(),
            options.documents(),
            options.jsonField(),
            options.fasta(),
            0.2,
            List.of(),
            99,
            false);
    try (Dataset one = open(options);
        Dataset two = open(reversed)) {
      List<String> validation = unpack(one.validation().orElseThrow(), 2, 33, 10_000);
      assertEquals(one.validationDocuments(), validation.size());
      assertEquals(120, validation.size(), 40);
      List<String> training = unpack(one.training(), 2, 33, 600);
      assertTrue(Collections.disjoint(training, validation));
      assertEquals(600, one.trainingDocuments() + one.validationDocuments());
      assertEquals(
          new TreeSet<>(validation),
          new TreeSet<>(unpack(two.validation().orElseThrow(), 1, 7, 10_000)));
    }
  }

  @Test
  void validationIsOnePassAndRepeatable() throws IOException {
    Path other = folder.resolve("v.txt");
    Files.writeString(other, "v one\nv two\n");
    try (Dataset data = open(documents(30).validationFiles(List.of(other)))) {
      BatchSource source = data.validation().orElseThrow();
      String start = source.state();
      List<String> first = unpack(source, 1, 8, 100);
      assertEquals(new TreeSet<>(List.of("v one", "v two")), new TreeSet<>(first));
      assertFalse(source.next(new TokenBatch(1, 8)), "one pass only");
      assertEquals(1.0, source.epochs());
      source.restore(start);
      assertEquals(first, unpack(source, 1, 8, 100));
      assertEquals(30, data.trainingDocuments());
    }
  }

  @Test
  void stateOfOtherDataIsRefused() throws IOException {
    DataOptions options = documents(50);
    String state;
    try (Dataset data = open(options)) {
      state = data.training().state();
      BatchSource source = data.training();
      refused(source, "{}", "side is TRAINING and was null");
      refused(source, "no json", "does not come from these data");
      refused(source, state.replace("\"document\": 0", "\"document\": 99999"), "no document at");
      refused(source, state.replace("\"token\": 0", "\"token\": 12345"), "token 12345");
      refused(source, state.replace("\"pass\": 0", "\"pass\": -1"), "pass is -1");
    }
    try (Dataset data = open(options.seed(5))) {
      refused(data.training(), state, "seed is 5 and was 0");
    }
    Files.writeString(folder.resolve("b.txt"), "changed\n");
    try (Dataset data = open(options)) {
      refused(data.training(), state, "documents is 17 and was 50");
    }
  }

  private static void refused(BatchSource source, String state, String problem) {
    String message =
        assertThrows(TrainingException.class, () -> source.restore(state)).getMessage();
    assertTrue(message.contains(problem), message);
  }

  @Test
  void dataThatCannotTrainAreRefused() throws IOException {
    DataOptions options = documents(3);
    TrainingException none =
        assertThrows(TrainingException.class, () -> open(options.validationFraction(0.001)));
    assertTrue(none.getMessage().contains("of 3 documents 0 are for validation"));
    Path single = folder.resolve("single.txt");
    Files.writeString(single, "a\nb\n");
    DataOptions letters = DataOptions.of(List.of(single)).documents(DocumentRule.line());
    try (Dataset data =
        Dataset.open(letters, new Bytes(false), OptionalInt.empty(), OptionalInt.empty())) {
      BatchSource source = data.training();
      assertThrows(TrainingException.class, () -> source.next(new TokenBatch(1, 4)));
    }
    assertThrows(InvalidInputException.class, () -> DataOptions.of(List.of()));
    assertThrows(InvalidInputException.class, () -> options.validationFraction(1));
    assertThrows(InvalidInputException.class, () -> DocumentRule.separator(" "));
    assertThrows(InvalidInputException.class, () -> FastaOptions.defaults().window(0));
  }

  @Test
  void changedFilesAreNoticed() throws IOException {
    DataOptions options = documents(60);
    try (Dataset data = open(options)) {
      Files.writeString(folder.resolve("a.txt"), "short\n");
      BatchSource source = data.training();
      TrainingException e = assertThrows(TrainingException.class, () -> unpack(source, 1, 16, 100));
      assertTrue(e.getMessage().contains("has changed since it was opened"), e.getMessage());
    }
  }
}
