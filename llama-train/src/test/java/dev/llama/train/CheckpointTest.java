package dev.llama.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.DType;
import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.LlamaException;
import dev.llama.Model;
import dev.llama.ModelConfig;
import dev.llama.ModelOptions;
import dev.llama.Session;
import dev.llama.TrainingException;
import dev.llama.train.Parameters.Parameter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is written can be read, by the trainer and by the library that runs models. */
class CheckpointTest {
  private static final int ROWS = 2;
  private static final int LENGTH = 8;

  @TempDir private Path folder;

  private final BatchSource source =
      ListSource.endless(
          ListSource.random(ROWS, LENGTH, Models.VOCABULARY, 1),
          ListSource.random(ROWS, LENGTH, Models.VOCABULARY, 2));

  private static TrainerBuilder common(TrainerBuilder builder) {
    return builder
        .batch(ROWS, LENGTH)
        .schedule(Schedule.constant(0.01, 1))
        .options(ModelOptions.defaults().backend("cpu").threads(2));
  }

  private Trainer trained(Object... changes) {
    Trainer trainer = common(Trainer.builder(Models.tiny(changes))).build();
    for (int i = 0; i < 3; i++) {
      trainer.step(source);
    }
    return trainer;
  }

  @ParameterizedTest
  @ValueSource(strings = {"F32", "BF16", "F16"})
  void theModelIsOneThatTheLibraryRuns(DType type) throws IOException {
    Path path = folder.resolve("model");
    try (Trainer trainer = trained("tie_word_embeddings", true)) {
      trainer.saveModel(path, type);
      try (Model model = Model.load(path, ModelOptions.defaults().backend("cpu"));
          Session session = model.newSession()) {
        assertEquals(trainer.config().layers(), model.layers());
        assertEquals(List.of("LlamaForCausalLM"), model.config().architectures());
        session.append(1, 2, 3);
        float[] logits = session.logits();
        assertEquals(Models.VOCABULARY, logits.length);
        double nll = -Math.log(softmax(logits, 4));
        TokenBatch batch = new TokenBatch(ROWS, LENGTH);
        System.arraycopy(new int[] {1, 2, 3}, 0, batch.tokens(), 0, 3);
        Arrays.fill(batch.documents(), 0, 3, 0);
        batch.targets()[2] = 4;
        double tolerance = type == DType.F32 ? 1e-5 : 0.02;
        assertEquals(trainer.evaluate(ListSource.endless(batch), 1).loss(), nll, tolerance);
      }
    }
  }

  private static double softmax(float[] logits, int id) {
    double sum = 0;
    for (float logit : logits) {
      sum += Math.exp(logit);
    }
    return Math.exp(logits[id]) / sum;
  }

  @Test
  void trainingGoesOnFromItsCheckpointToTheLastBit() throws IOException {
    Path path = folder.resolve("checkpoint");
    try (Trainer trainer = trained()) {
      trainer.saveCheckpoint(path);
      double next = trainer.step(source).loss();
      try (Trainer resumed = common(Trainer.resume(path)).build()) {
        assertEquals(List.of(), resumed.notices());
        assertEquals(3, resumed.steps());
        assertEquals(3 * ROWS * LENGTH, resumed.tokensSeen());
        source.restore(resumed.position().orElseThrow());
        assertEquals(next, resumed.step(source).loss());
        for (int i = 0; i < trainer.parameters().size(); i++) {
          Parameter wanted = trainer.parameters().get(i);
          Parameter found = resumed.parameters().get(i);
          assertArrayEquals(
              Tensors.read(trainer, wanted.weight()), Tensors.read(resumed, found.weight()));
          assertArrayEquals(Tensors.read(trainer, wanted.v()), Tensors.read(resumed, found.v()));
        }
      }
    }
  }

  @Test
  void otherOptionsAreToldAtAResume() {
    Path path = folder.resolve("checkpoint");
    try (Trainer trainer = trained()) {
      trainer.saveCheckpoint(path);
    }
    try (Trainer resumed = common(Trainer.resume(path)).clip(2).build()) {
      assertEquals(1, resumed.notices().size());
      assertTrue(
          resumed.notices().get(0).startsWith("clip is 2.0, but the checkpoint was written with 1"),
          resumed.notices().get(0));
    }
    assertThrows(
        InvalidInputException.class, () -> common(Trainer.resume(path)).vocabSize(30).build());
  }

  /** Half-precision weights become F32, to the bit, and can be saved as they were. */
  @ParameterizedTest
  @ValueSource(strings = {"BF16", "F16"})
  void fineTuningStartsFromHalfPrecision(DType type) throws IOException {
    Path half = folder.resolve("half");
    Path again = folder.resolve("again");
    try (Trainer trainer = trained()) {
      trainer.saveModel(half, type);
    }
    try (Trainer tuned = common(Trainer.builder(half)).build()) {
      tuned.saveModel(again, type);
      assertEquals(-1, Files.mismatch(half.resolve("model.safetensors"), weights(again)));
      assertTrue(tuned.step(source).loss() > 0);
    }
  }

  private static Path weights(Path model) {
    return model.resolve("model.safetensors");
  }

  @Test
  void whatIsReplacedIsReplacedWhole() throws IOException {
    Path path = folder.resolve("model");
    try (Trainer trainer = trained()) {
      trainer.saveModel(path, DType.F32);
      Files.writeString(path.resolve("notes.txt"), "of an older model");
      trainer.saveModel(path, DType.F32);
      assertEquals(List.of("config.json", "model.safetensors"), names(path));
      assertEquals(List.of("model"), names(folder), "no temporary folders");
    }
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> entries = Files.list(folder)) {
      return entries.map(e -> e.getFileName().toString()).sorted().collect(Collectors.toList());
    }
  }

  /** A model that has diverged is not worth overwriting a good one for. */
  @Test
  void refusesToWriteWhatIsNoNumber() throws IOException {
    Path path = folder.resolve("model");
    try (Trainer trainer = trained()) {
      trainer.saveModel(path, DType.F32);
      byte[] good = Files.readAllBytes(weights(path));
      Parameter head = trainer.parameters().get(trainer.parameters().size() - 1);
      float[] values = Tensors.read(trainer, head.weight());
      values[5] = 1e6f;
      Tensors.write(trainer, head.weight(), values);
      assertMessage("lm_head.weight holds 1000000.0", () -> trainer.saveModel(path, DType.F16));
      values[5] = Float.POSITIVE_INFINITY;
      Tensors.write(trainer, head.weight(), values);
      assertMessage("diverged", () -> trainer.saveModel(path, DType.F32));
      assertMessage("diverged", () -> trainer.saveCheckpoint(folder.resolve("checkpoint")));
      assertArrayEquals(good, Files.readAllBytes(weights(path)));
      assertEquals(List.of("model"), names(folder));
    }
  }

  private static void assertMessage(String part, Executable body) {
    LlamaException e = assertThrows(TrainingException.class, body);
    assertTrue(e.getMessage().contains(part), e.getMessage());
  }

  @Test
  void refusesBrokenCheckpointsByName() throws IOException {
    Path path = folder.resolve("checkpoint");
    try (Trainer trainer = trained()) {
      trainer.saveCheckpoint(path);
      assertMessage("is there already", () -> trainer.saveCheckpoint(path));
      trainer.saveModel(folder.resolve("model"), DType.F32);
    }
    assertMessage("there is no training.json", () -> Trainer.resume(folder.resolve("model")));
    assertMessage("there is no such folder", () -> Trainer.resume(folder.resolve("none")));

    Path moments = path.resolve("optimizer.safetensors");
    byte[] good = Files.readAllBytes(moments);
    Files.write(moments, Arrays.copyOf(good, good.length - 100));
    assertThrows(FormatException.class, () -> common(Trainer.resume(path)).build());
    Files.write(moments, good);

    Path state = path.resolve("training.json");
    String text = Files.readString(state);
    Files.writeString(state, text.replace("\"step\": 3", "\"step\": \"x\""));
    FormatException e =
        assertThrows(FormatException.class, () -> common(Trainer.resume(path)).build());
    assertTrue(e.getMessage().contains("step is x"), e.getMessage());
    Files.writeString(state, text.substring(0, 20));
    assertThrows(FormatException.class, () -> common(Trainer.resume(path)).build());
    Files.writeString(state, text);
    Files.write(weights(path), new byte[] {0}, StandardOpenOption.APPEND);
    assertThrows(FormatException.class, () -> common(Trainer.resume(path)).build());
  }

  @Test
  void refusesWhatIsNoModelFolder() throws IOException {
    assertThrows(FormatException.class, () -> Trainer.builder(folder.resolve("none")));
    Path file = Files.writeString(folder.resolve("config.json"), "{}");
    assertThrows(FormatException.class, () -> Trainer.builder(file));
    Path gguf = Files.writeString(folder.resolve("a.gguf"), "GGUF");
    FormatException e = assertThrows(FormatException.class, () -> Trainer.builder(gguf));
    assertTrue(e.getMessage().contains("GGUF file, which cannot be trained"), e.getMessage());
  }

  /** A tokenizer of bytes and a few more tokens, as tiktoken ranks. */
  private Path tokenizer(int tokens) throws IOException {
    StringBuilder ranks = new StringBuilder();
    for (int i = 0; i < tokens; i++) {
      byte[] bytes = i < 256 ? new byte[] {(byte) i} : new byte[] {'a', (byte) ('a' + i - 256)};
      String text = Base64.getEncoder().encodeToString(bytes);
      ranks.append(text).append(' ').append(i).append('\n');
    }
    Path file = folder.resolve("ranks-" + tokens);
    Files.createDirectories(file);
    Files.writeString(file.resolve("special_tokens.json"), "{\"<|end|>\": " + tokens + "}");
    return Files.writeString(file.resolve("tokenizer.model"), ranks);
  }

  @Test
  void theVocabularyFollowsTheTokenizerAndSaysSo() throws IOException {
    Path saved = folder.resolve("saved");
    Path grown = folder.resolve("grown");
    try (Trainer trainer =
        common(Trainer.builder(Models.tiny())).tokenizer(tokenizer(257)).build()) {
      assertEquals(258, trainer.config().vocabSize());
      assertTrue(
          trainer.notices().toString().contains("vocab_size is 258 instead of 20"),
          trainer.notices().toString());
      trainer.saveModel(saved, DType.F32);
    }
    try (Model model = Model.load(saved, ModelOptions.defaults().backend("cpu"))) {
      assertEquals("aa", model.tokenizer().decode(256), "the tokenizer goes with the model");
    }
    try (Trainer trainer = common(Trainer.builder(saved)).tokenizer(tokenizer(259)).build()) {
      assertEquals(260, trainer.config().vocabSize());
      assertTrue(trainer.notices().toString().contains("the new rows are random"));
      trainer.saveModel(grown, DType.F32);
      float[] before = Fixtures.floats(weights(saved)).get("lm_head.weight");
      float[] after = Fixtures.floats(weights(grown)).get("lm_head.weight");
      assertArrayEquals(before, Arrays.copyOf(after, before.length));
      assertTrue(after[after.length - 1] != 0);
    }
    try (Trainer trainer = common(Trainer.builder(grown)).tokenizer(tokenizer(256)).build()) {
      assertEquals(257, trainer.config().vocabSize(), "fewer, if no id in use is lost");
    }
  }

  @Test
  void refusesAVocabularyWithoutRoomForIdsInUse() throws IOException {
    Path tokenizer = tokenizer(256);
    InvalidInputException e =
        assertThrows(
            InvalidInputException.class,
            () ->
                common(Trainer.builder(Models.tiny())).tokenizer(tokenizer).vocabSize(256).build());
    assertTrue(e.getMessage().contains("below the 257 ids"), e.getMessage());
    Path saved = folder.resolve("saved");
    ModelConfig config = Models.tiny("vocab_size", 300, "eos_token_id", 299);
    try (Trainer trainer = common(Trainer.builder(config)).build()) {
      trainer.saveModel(saved, DType.F32);
    }
    e =
        assertThrows(
            InvalidInputException.class,
            () -> common(Trainer.builder(saved)).tokenizer(tokenizer).build());
    assertTrue(e.getMessage().contains("no room for token 299"), e.getMessage());
    assertFalse(Files.exists(folder.resolve("model")));
  }
}
