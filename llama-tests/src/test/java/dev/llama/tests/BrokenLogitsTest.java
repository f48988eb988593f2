package dev.llama.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.FinishReason;
import dev.llama.GeneratedToken;
import dev.llama.Generation;
import dev.llama.GenerationOptions;
import dev.llama.LlamaException;
import dev.llama.Model;
import dev.llama.ModelOptions;
import dev.llama.Session;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A token is never chosen from numbers that are none, at whatever step that happens. */
class BrokenLogitsTest {
  private static final int VOCABULARY = 40;
  private static final int HIDDEN = 64;
  private static final int[] PROMPT = {1, 2, 3};

  @TempDir Path folder;

  static Stream<Arguments> runs() {
    GenerationOptions drawn = GenerationOptions.defaults().seed(1);
    return Stream.of("cpu", "cpu:reference", Fixtures.CUDA)
        .flatMap(
            backend ->
                Stream.of(GenerationOptions.greedy(), drawn, drawn.repetitionPenalty(1.1f))
                    .map(options -> Arguments.of(backend, options.maxNewTokens(8))));
  }

  /** The first token's embedding is NaN, which shows when the second one is to be chosen. */
  @ParameterizedTest
  @MethodSource("runs")
  void brokenStepsThrow(String backend, GenerationOptions options) throws IOException {
    Fixtures.requireDevice(backend);
    TinyModel.write(folder, VOCABULARY);
    ModelOptions on = ModelOptions.defaults().backend(backend);
    int first;
    try (Model model = Model.load(folder, on);
        Session session = model.newSession()) {
      session.generate(PROMPT, options).complete();
      assertEquals(PROMPT.length + 8, session.tokens().length);
      first = session.tokens()[PROMPT.length];
    }
    assertTrue(first > 3, "the prompt must not hold the token " + first);
    breakEmbedding(folder.resolve("model.safetensors"), first);
    try (Model model = Model.load(folder, on);
        Session session = model.newSession();
        Generation generation = session.generate(PROMPT, options)) {
      Iterator<GeneratedToken> tokens = generation.iterator();
      assertEquals(first, tokens.next().id());
      LlamaException e = assertThrows(LlamaException.class, tokens::next);
      assertTrue(e.getMessage().contains("no token can be chosen"), e.getMessage());
      assertEquals(Optional.of(FinishReason.CANCELLED), generation.finishReason());
      session.rewind(PROMPT.length);
      session.generate(new int[0], options.maxNewTokens(1)).complete();
      assertEquals(first, session.tokens()[PROMPT.length], "the session goes on");
    }
  }

  /** The embedding is the first tensor of the file. */
  private static void breakEmbedding(Path file, int id) throws IOException {
    try (RandomAccessFile weights = new RandomAccessFile(file.toFile(), "rw")) {
      long header = Long.reverseBytes(weights.readLong());
      weights.seek(8 + header + 4L * HIDDEN * id);
      for (int i = 0; i < HIDDEN; i++) {
        weights.writeInt(Integer.reverseBytes(Float.floatToIntBits(Float.NaN)));
      }
    }
  }
}
