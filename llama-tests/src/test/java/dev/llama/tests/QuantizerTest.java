package dev.llama.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.llama.CancelledException;
import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.LlamaException;
import dev.llama.Model;
import dev.llama.ModelOptions;
import dev.llama.core.files.GgufFile;
import dev.llama.core.quantize.QuantizationReport;
import dev.llama.core.quantize.QuantizationType;
import dev.llama.core.quantize.QuantizeOptions;
import dev.llama.core.quantize.Quantizer;
import dev.llama.spi.TensorData;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Models written as GGUF files, against the reference data, and what must never be left behind. */
class QuantizerTest {
  @TempDir Path folder;
  private Path out;

  @BeforeEach
  void nameTheOutput() {
    out = folder.resolve("out.gguf");
  }

  private static QuantizationReport quantize(Path in, Path out, QuantizationType type) {
    return new Quantizer(QuantizeOptions.of(type).threads(2), (done, total) -> {})
        .quantize(in, out);
  }

  static List<String> models() {
    List<String> names = new ArrayList<>();
    for (JsonElement name :
        Fixtures.json(Fixtures.path("models/index.json")).getAsJsonArray("models")) {
      names.add(name.getAsString());
    }
    names.remove("rope-dynamic"); // has no form in GGUF
    names.remove("tiny-nucleotide"); // has no weights in a file
    return names;
  }

  /**
   * Every variation of the architecture survives the way through a file: names, order, rotation.
   */
  @ParameterizedTest
  @MethodSource("models")
  void modelsGiveTheSameLogitsFromGguf(String name) {
    Path model = Fixtures.path("models/" + name);
    JsonObject expected = Fixtures.json(model.resolve("expected.json"));
    double tolerance = expected.getAsJsonObject("tolerance").get("logits_abs").getAsDouble();
    quantize(model, out, QuantizationType.F32);
    try (Model loaded = Model.load(out, ModelOptions.defaults().backend("cpu:reference"))) {
      assertEquals(expected.get("parameters").getAsLong(), loaded.config().parameterCount());
      Goldens.check(loaded, expected, tolerance, 512);
    }
  }

  @Test
  void whatGgufCannotSayIsRefusedByName() {
    Path model = Fixtures.path("models/rope-dynamic");
    FormatException e =
        assertThrows(FormatException.class, () -> quantize(model, out, QuantizationType.F16));
    assertTrue(e.getMessage().contains("rope_scaling dynamic"), e.getMessage());
    nothingIsLeft();
  }

  /** Bytes of tensors and vocabulary are those that llama.cpp's converter and quantiser wrote. */
  @ParameterizedTest
  @CsvSource({"F32, ''", "F16, ''", "Q8_0, ''", "Q4_0, token_embd.weight"})
  void storiesAreThoseOfLlamaCpp(QuantizationType type, String otherwise) {
    Path reference = Fixtures.path("stories260K/gguf/stories260K-" + type + ".gguf");
    quantize(Fixtures.path("stories260K"), out, type);
    try (GgufFile expected = GgufFile.open(reference);
        GgufFile actual = GgufFile.open(out)) {
      assertEquals(expected.tensors().keySet(), actual.tensors().keySet());
      for (Map.Entry<String, TensorData> entry : expected.tensors().entrySet()) {
        TensorData tensor = actual.tensors().get(entry.getKey());
        if (entry.getKey().equals("model.embed_tokens.weight") && !otherwise.isEmpty()) {
          continue; // the fixture gave the output matrix no more bits
        }
        assertEquals(entry.getValue().type(), tensor.type(), entry.getKey());
        assertArrayEquals(bytes(entry.getValue()), bytes(tensor), entry.getKey());
      }
      for (String key : new TreeSet<>(expected.metadata().keySet())) {
        if (key.startsWith("llama.") || key.startsWith("tokenizer.")) {
          assertEquals(text(expected.metadata().get(key)), text(actual.metadata().get(key)), key);
        }
      }
      assertEquals((long) type.fileType(), actual.metadata().get("general.file_type"));
    }
  }

  private static byte[] bytes(TensorData tensor) {
    byte[] bytes = new byte[Math.toIntExact(tensor.byteSize())];
    tensor.bytes(0, bytes.length).get(bytes);
    return bytes;
  }

  private static String text(Object value) {
    if (value instanceof int[] ints) {
      return Arrays.toString(ints);
    }
    return value instanceof float[] floats ? Arrays.toString(floats) : "" + value;
  }

  /** From one GGUF file to another: what was stored in metadata stays, byte for byte. */
  @Test
  void metadataOfAFileAreKept() {
    Path source = Fixtures.path("stories260K/gguf/stories260K-F16.gguf");
    quantize(source, out, QuantizationType.Q5_1);
    try (GgufFile before = GgufFile.open(source);
        GgufFile after = GgufFile.open(out)) {
      for (String key : before.metadata().keySet()) {
        if (!key.equals("general.file_type")) {
          assertEquals(text(before.metadata().get(key)), text(after.metadata().get(key)), key);
        }
      }
      assertEquals(
          new ArrayList<>(before.tensors().keySet()), new ArrayList<>(after.tensors().keySet()));
    }
  }

  /** The perplexity of the reference text rises with fewer bits, and not by more than it should. */
  @ParameterizedTest
  @EnumSource(
      value = QuantizationType.class,
      names = {"Q8_0", "Q5_1", "Q4_1", "Q4_0"})
  void quantisedStoriesAreStillStories(QuantizationType type) {
    QuantizationReport report = quantize(Fixtures.path("stories260K"), out, type);
    assertTrue(
        report.tensors().stream().anyMatch(tensor -> tensor.to() == type.matrices()), "" + report);
    for (QuantizationReport.TensorReport tensor : report.tensors()) {
      assertTrue(tensor.error() < (type == QuantizationType.Q8_0 ? 0.01 : 0.12), "" + tensor);
    }
    JsonObject golden =
        Fixtures.json(Fixtures.path("stories260K/expected.json"))
            .getAsJsonObject("perplexity_text");
    try (Model model = Model.load(out, ModelOptions.defaults().backend("cpu:reference"))) {
      double nll = StoriesTest.meanNll(model, golden.getAsJsonArray("ids"));
      double reference = golden.get("mean_nll").getAsDouble();
      assertEquals(reference, nll, type == QuantizationType.Q8_0 ? 0.02 : 0.25);
    }
  }

  @Test
  void tokenizersOfLlama3SurviveTheWay() throws IOException {
    Path model = folder.resolve("model");
    Path small = Fixtures.path("tokenizer-llama3/small");
    Files.createDirectories(model);
    Files.copy(small.resolve("tokenizer.model"), model.resolve("tokenizer.model"));
    Files.copy(small.resolve("special_tokens.json"), model.resolve("special_tokens.json"));
    TinyModel.write(model, 2304);
    quantize(model, out, QuantizationType.Q4_0);
    try (Model before = Model.load(model);
        Model after = Model.load(out)) {
      assertEquals(before.tokenizer().bos(), after.tokenizer().bos());
      assertEquals(before.tokenizer().eos(), after.tokenizer().eos());
      assertEquals(before.tokenizer().stopIds(), after.tokenizer().stopIds());
      assertEquals(before.tokenizer().specialTokens(), after.tokenizer().specialTokens());
      for (String line : Files.readAllLines(small.resolve("goldens.jsonl"))) {
        String text = JsonParser.parseString(line).getAsJsonObject().get("text").getAsString();
        assertArrayEquals(before.tokenizer().encode(text), after.tokenizer().encode(text), text);
      }
    }
  }

  @Test
  void aModelWithoutTokenizerStaysOne() throws IOException {
    TinyModel.write(folder, 40);
    quantize(folder, out, QuantizationType.Q8_0);
    try (Model model = Model.load(out)) {
      assertEquals(40, model.config().vocabSize());
      assertThrows(LlamaException.class, model::tokenizer);
    }
  }

  @Test
  void aVocabularyIsFilledUpToTheModels() throws IOException {
    Path tokenizer = Fixtures.path("stories260K/tokenizer.model");
    Files.copy(tokenizer, folder.resolve("tokenizer.model"));
    TinyModel.write(folder, 520);
    quantize(folder, out, QuantizationType.Q8_0);
    try (Model model = Model.load(out)) {
      assertEquals(520, model.tokenizer().vocabularySize());
      assertEquals("[PAD519]", model.tokenizer().piece(519));
    }
  }

  @Test
  void aVocabularyOfAnotherModelIsRefused() throws IOException {
    Path tokenizer = Fixtures.path("stories260K/tokenizer.model");
    Files.copy(tokenizer, folder.resolve("tokenizer.model"));
    TinyModel.write(folder, 300);
    FormatException e =
        assertThrows(FormatException.class, () -> quantize(folder, out, QuantizationType.Q8_0));
    assertTrue(e.getMessage().contains("512") && e.getMessage().contains("300"), e.getMessage());
    nothingIsLeft();
  }

  @Test
  void quantisedSourcesNeedPermission() {
    Path source = Fixtures.path("stories260K/gguf/stories260K-Q8_0.gguf");
    FormatException e =
        assertThrows(FormatException.class, () -> quantize(source, out, QuantizationType.Q4_0));
    assertTrue(e.getMessage().contains("Q8_0 already"), e.getMessage());
    nothingIsLeft();
    QuantizeOptions options = QuantizeOptions.of(QuantizationType.Q4_0).requantize(true);
    new Quantizer(options, (done, total) -> {}).quantize(source, out);
    assertTrue(Files.exists(out));
  }

  @Test
  void theSameTypeIsCopied() {
    Path source = Fixtures.path("gguf/rows256-Q6_K.gguf");
    QuantizationReport report = quantize(source, out, QuantizationType.Q6_K);
    assertTrue(report.tensors().stream().allMatch(tensor -> tensor.error() == 0), "" + report);
  }

  @Test
  void aFileThatIsThereStaysUnlessForced() throws IOException {
    TinyModel.write(folder, 40);
    Files.writeString(out, "precious");
    InvalidInputException e =
        assertThrows(
            InvalidInputException.class, () -> quantize(folder, out, QuantizationType.Q8_0));
    assertTrue(e.getMessage().contains("--force"), e.getMessage());
    assertEquals("precious", Files.readString(out));
    QuantizeOptions options = QuantizeOptions.of(QuantizationType.Q8_0).overwrite(true);
    new Quantizer(options, (done, total) -> {}).quantize(folder, out);
    Path again = folder.resolve("again.gguf");
    quantize(out, again, QuantizationType.Q8_0);
    assertThrows(
        InvalidInputException.class,
        () -> new Quantizer(options, (done, total) -> {}).quantize(again, again));
    assertEquals(Files.size(out), Files.size(again));
  }

  @Test
  void aStoppedRunLeavesNothing() throws IOException {
    TinyModel.write(folder, 40);
    Quantizer[] quantizer = new Quantizer[1];
    quantizer[0] =
        new Quantizer(
            QuantizeOptions.of(QuantizationType.Q8_0).threads(1),
            (done, total) -> {
              if (done > 0) {
                quantizer[0].cancel();
              }
            });
    assertThrows(CancelledException.class, () -> quantizer[0].quantize(folder, out));
    nothingIsLeft();
  }

  @Test
  void anInterruptedRunLeavesNothing() throws IOException {
    TinyModel.write(folder, 40);
    Thread.currentThread().interrupt();
    try {
      assertThrows(CancelledException.class, () -> quantize(folder, out, QuantizationType.Q8_0));
    } finally {
      assertTrue(Thread.interrupted(), "the interrupt is passed on");
    }
    nothingIsLeft();
  }

  @ParameterizedTest
  @CsvSource({"NaN, Q8_0, broken", "Infinity, BF16, broken", "1e6, F16, BF16", "1e6, Q4_0, BF16"})
  void numbersThatCannotBeStoredAreNamed(float value, QuantizationType type, String cure)
      throws IOException {
    TinyModel.write(folder, 40);
    Path weights = folder.resolve("model.safetensors");
    try (RandomAccessFile file = new RandomAccessFile(weights.toFile(), "rw")) {
      file.seek(file.length() - 4);
      file.writeInt(Integer.reverseBytes(Float.floatToIntBits(value)));
    }
    FormatException e = assertThrows(FormatException.class, () -> quantize(folder, out, type));
    assertTrue(e.getMessage().contains("lm_head") && e.getMessage().contains(cure), e.getMessage());
    nothingIsLeft();
  }

  @Test
  void brokenSourcesAreRefusedAndLeaveNothing() {
    Path malformed = Fixtures.path("malformed");
    for (JsonElement element :
        Fixtures.json(malformed.resolve("index.json")).getAsJsonArray("cases")) {
      JsonObject file = element.getAsJsonObject();
      if (file.get("expect").getAsString().equals("reject")) {
        Path source = malformed.resolve(file.get("path").getAsString());
        assertThrows(
            LlamaException.class,
            () -> quantize(source, out, QuantizationType.Q8_0),
            file.get("path").getAsString());
        nothingIsLeft();
      }
    }
  }

  @Test
  void placesThatCannotBeWrittenAreNamed() throws IOException {
    TinyModel.write(folder, 40);
    for (Path place : List.of(folder, folder.resolve("absent/out.gguf"))) {
      InvalidInputException e =
          assertThrows(
              InvalidInputException.class, () -> quantize(folder, place, QuantizationType.Q8_0));
      assertTrue(e.getMessage().startsWith(place.toString()), e.getMessage());
    }
    nothingIsLeft();
  }

  private void nothingIsLeft() {
    try (Stream<Path> files = Files.list(folder)) {
      List<Path> left = files.filter(file -> file.toString().matches(".*(gguf|part)")).toList();
      assertEquals(List.of(), left);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    assertFalse(Files.exists(out));
  }
}
