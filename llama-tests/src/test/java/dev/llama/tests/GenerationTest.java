package dev.llama.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.FinishReason;
import dev.llama.GeneratedToken;
import dev.llama.Generation;
import dev.llama.GenerationOptions;
import dev.llama.InvalidInputException;
import dev.llama.Model;
import dev.llama.ModelOptions;
import dev.llama.Session;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What the options of a generation promise, on a model that the project owns. */
class GenerationTest {
  private static final GenerationOptions SAMPLED =
      GenerationOptions.defaults().temperature(1).maxNewTokens(60).ignoreModelStops(true);
  private static Model model;

  @BeforeAll
  static void create() {
    model =
        Model.create(
            SessionTest.config(), 42, ModelOptions.defaults().tokenizer(new ByteTokenizer()));
  }

  @AfterAll
  static void close() {
    model.close();
  }

  private static List<GeneratedToken> run(GenerationOptions options) {
    try (Session session = model.newSession();
        Generation generation = session.generate("once", options)) {
      List<GeneratedToken> tokens = new ArrayList<>();
      generation.forEach(tokens::add);
      return tokens;
    }
  }

  private static List<Integer> ids(GenerationOptions options) {
    return run(options).stream().map(GeneratedToken::id).toList();
  }

  @Test
  void theSameSeedGivesTheSameTokens() {
    assertEquals(ids(SAMPLED.seed(7)), ids(SAMPLED.seed(7)));
    assertNotEquals(ids(SAMPLED.seed(7)), ids(SAMPLED.seed(8)));
  }

  @Test
  void aRandomSeedIsReportedAndReproduces() {
    try (Session session = model.newSession();
        Generation first = session.generate("once", SAMPLED)) {
      List<Integer> tokens = new ArrayList<>();
      first.forEach(token -> tokens.add(token.id()));
      assertEquals(tokens, ids(SAMPLED.seed(first.seed())));
    }
  }

  /** Neighbouring seeds must not begin with the same token. */
  @Test
  void nearbySeedsDiffer() {
    Set<Integer> first = new java.util.HashSet<>();
    for (int seed = 0; seed < 100; seed++) {
      first.add(
          ids(SAMPLED.maxNewTokens(1).temperature(3).topK(0).topP(1).minP(0).seed(seed)).get(0));
    }
    assertTrue(first.size() > 20, first.toString());
  }

  @Test
  void anExceptionOfTheTokenizerEndsTheGeneration() {
    ByteTokenizer failing =
        new ByteTokenizer() {
          @Override
          public Decoder newDecoder() {
            Decoder decoder = super.newDecoder();
            int[] calls = new int[1];
            return new Decoder() {
              @Override
              public String append(int id) {
                if (++calls[0] == 7) {
                  throw new IllegalStateException("of the tokenizer's own");
                }
                return decoder.append(id);
              }

              @Override
              public String flush() {
                return decoder.flush();
              }
            };
          }
        };
    try (Model own =
            Model.create(SessionTest.config(), 42, ModelOptions.defaults().tokenizer(failing));
        Session session = own.newSession();
        Generation generation = session.generate("once", SAMPLED.seed(1))) {
      assertThrows(IllegalStateException.class, generation::complete);
      assertEquals(Optional.of(FinishReason.CANCELLED), generation.finishReason());
      assertFalse(generation.iterator().hasNext());
      assertEquals(generation.usage().generatedTokens(), session.position() - 5);
    }
  }

  @Test
  void oneCandidateLeftIsGreedy() {
    List<Integer> greedy = ids(GenerationOptions.greedy().maxNewTokens(60).ignoreModelStops(true));
    assertEquals(greedy, ids(SAMPLED.topK(1).seed(1)));
    assertEquals(greedy, ids(SAMPLED.topP(1e-6f).topK(0).seed(2)));
    assertEquals(greedy, ids(SAMPLED.minP(1).topK(0).topP(1).seed(3)));
  }

  @Test
  void theTextIsTheTokensText() {
    for (int seed = 0; seed < 20; seed++) {
      try (Session session = model.newSession();
          Generation generation =
              session.generate("once", SAMPLED.topK(0).topP(1).minP(0).seed(seed))) {
        StringBuilder streamed = new StringBuilder();
        List<Integer> ids = new ArrayList<>();
        for (GeneratedToken token : generation) {
          streamed.append(token.text());
          ids.add(token.id());
        }
        byte[] bytes = new byte[ids.size()];
        for (int i = 0; i < bytes.length; i++) {
          bytes[i] = ids.get(i).byteValue();
        }
        assertEquals(new String(bytes, StandardCharsets.UTF_8), streamed.toString());
        assertEquals(streamed.toString(), generation.text());
      }
    }
  }

  @Test
  void biasForcesAndForbids() {
    byte[] word = "é".getBytes(StandardCharsets.UTF_8);
    GenerationOptions forced =
        GenerationOptions.greedy().maxNewTokens(3).logitBias(Map.of(word[0] & 0xFF, 1000f));
    assertEquals(List.of(0xC3, 0xC3, 0xC3), ids(forced));
    int best = ids(GenerationOptions.greedy().maxNewTokens(1)).get(0);
    int second =
        ids(GenerationOptions.greedy()
                .maxNewTokens(1)
                .logitBias(Map.of(best, Float.NEGATIVE_INFINITY)))
            .get(0);
    assertNotEquals(best, second);
    assertThrows(
        InvalidInputException.class,
        () -> run(GenerationOptions.greedy().logitBias(Map.of(256, 1f))));
  }

  @Test
  void anUnfinishedCharacterIsHeldBack() {
    GenerationOptions forced =
        GenerationOptions.greedy().maxNewTokens(2).logitBias(Map.of(0xC3, 1000f));
    List<GeneratedToken> tokens = run(forced);
    assertEquals("", tokens.get(0).text());
    assertEquals("\uFFFD\uFFFD", tokens.get(1).text(), "flushed at the end");
  }

  @Test
  void stopStringsEndTheTextBeforeThem() {
    List<GeneratedToken> free = run(GenerationOptions.greedy().maxNewTokens(60).logitBias(ascii()));
    String text = text(free);
    String stop = text.substring(20, 23);
    int end = text.indexOf(stop);
    try (Session session = model.newSession();
        Generation generation =
            session.generate(
                "once",
                GenerationOptions.greedy()
                    .maxNewTokens(60)
                    .logitBias(ascii())
                    .stopStrings("never comes", stop))) {
      assertEquals(text.substring(0, end), generation.complete());
      assertEquals(Optional.of(stop), generation.stopString());
      assertEquals(Optional.of(FinishReason.STOP), generation.finishReason());
    }
  }

  /** Keeps to letters, so that tokens are characters. */
  private static Map<Integer, Float> ascii() {
    Map<Integer, Float> bias = new java.util.HashMap<>();
    for (int id = 0; id < 256; id++) {
      if (id < 'a' || id > 'z') {
        bias.put(id, Float.NEGATIVE_INFINITY);
      }
    }
    return bias;
  }

  private static String text(List<GeneratedToken> tokens) {
    StringBuilder text = new StringBuilder();
    tokens.forEach(token -> text.append(token.text()));
    return text.toString();
  }

  @Test
  void stopIdsEndTheGenerationAndStayInTheSession() {
    List<Integer> free = ids(GenerationOptions.greedy().maxNewTokens(30).ignoreModelStops(true));
    int stop = free.get(10);
    int expected = free.indexOf(stop) + 1;
    try (Session session = model.newSession();
        Generation generation =
            session.generate("once", GenerationOptions.greedy().stopIds(Set.of(stop)))) {
      List<GeneratedToken> tokens = new ArrayList<>();
      generation.forEach(tokens::add);
      assertEquals(expected, tokens.size());
      assertEquals("", tokens.get(expected - 1).text());
      assertEquals(Optional.of(FinishReason.STOP), generation.finishReason());
      int[] held = session.tokens();
      assertEquals(stop, held[held.length - 1]);
      assertEquals(5 + expected, held.length, "beginning of text, four letters, and the rest");
      assertFalse(generation.iterator().hasNext());
      assertThrows(NoSuchElementException.class, generation.iterator()::next);
    }
  }

  @Test
  void theModelsOwnStopTokenEndsTheGeneration() {
    GenerationOptions options =
        GenerationOptions.greedy().maxNewTokens(10).logitBias(Map.of(0, 1000f));
    assertEquals(List.of(0), ids(options));
    assertEquals(10, ids(options.ignoreModelStops(true)).size());
  }

  @Test
  void penaltiesKeepTokensFromComingBack() {
    GenerationOptions options =
        GenerationOptions.greedy().maxNewTokens(100).ignoreModelStops(true).penaltyWindow(-1);
    List<Integer> free = ids(options);
    List<Integer> penalized = ids(options.presencePenalty(1000));
    assertTrue(Set.copyOf(free).size() < 100, "the model repeats itself when it may");
    assertEquals(100, Set.copyOf(penalized).size());
    assertEquals(100, Set.copyOf(ids(options.frequencyPenalty(1000))).size());
    assertTrue(Set.copyOf(ids(options.repetitionPenalty(3))).size() > Set.copyOf(free).size());
  }

  @Test
  void logProbabilitiesAreThoseOfTheRawLogits() {
    try (Session session = model.newSession();
        Session plain = model.newSession();
        Generation generation =
            session.generate("once", SAMPLED.seed(5).maxNewTokens(5).logProbabilities(3))) {
      plain.append(0, 'o', 'n', 'c', 'e');
      for (GeneratedToken token : generation) {
        float[] logits = plain.logits();
        double sum = 0;
        for (float logit : logits) {
          sum += Math.exp(logit);
        }
        double expected = logits[token.id()] - Math.log(sum);
        assertEquals(expected, token.logProbability(), 1e-3);
        assertEquals(3, token.alternatives().size());
        assertEquals(Goldens.argmax(logits), token.alternatives().get(0).id());
        assertTrue(
            token.alternatives().get(0).logProbability()
                >= token.alternatives().get(1).logProbability());
        plain.append(token.id());
      }
    }
    assertTrue(Float.isNaN(run(SAMPLED.maxNewTokens(1)).get(0).logProbability()));
  }

  @Test
  void usageCounts() {
    try (Session session = model.newSession();
        Generation generation = session.generate("once", SAMPLED.maxNewTokens(9))) {
      assertEquals(0, generation.usage().promptTokens());
      generation.complete();
      assertEquals(5, generation.usage().promptTokens());
      assertEquals(9, generation.usage().generatedTokens());
      assertTrue(generation.usage().prefillSeconds() > 0);
      assertTrue(generation.usage().decodeSeconds() > 0);
    }
  }

  @Test
  void noNewTokensRunsThePromptAlone() {
    try (Session session = model.newSession();
        Generation generation = session.generate("once", SAMPLED.maxNewTokens(0))) {
      assertEquals("", generation.complete());
      assertEquals(Optional.of(FinishReason.LENGTH), generation.finishReason());
      assertEquals(5, session.position());
    }
  }

  @Test
  void aSecondTurnContinuesTheFirst() {
    GenerationOptions options = GenerationOptions.greedy().maxNewTokens(10).ignoreModelStops(true);
    try (Session turns = model.newSession();
        Session once = model.newSession()) {
      turns.generate("once", options).complete();
      int[] first = turns.tokens();
      turns.generate(" upon", options).complete();
      once.append(first);
      once.append(' ', 'u', 'p', 'o', 'n');
      assertEquals(
          Goldens.list(turns.tokens()).subList(first.length + 5, first.length + 15),
          Goldens.continuation(once, 10));
    }
  }
}
