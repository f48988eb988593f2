package dev.llama.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.CancelledException;
import dev.llama.ContextOverflowException;
import dev.llama.DType;
import dev.llama.FinishReason;
import dev.llama.GeneratedToken;
import dev.llama.Generation;
import dev.llama.GenerationOptions;
import dev.llama.InvalidInputException;
import dev.llama.Model;
import dev.llama.ModelOptions;
import dev.llama.Session;
import dev.llama.SessionOptions;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What a session promises, on a model that the project owns: needs no reference data. */
class SessionTest {
  private static final int[] PROMPT = {'o', 'n', 'c', 'e', ' ', 'u', 'p', 'o', 'n'};
  private static Model model;

  static Path config() {
    try {
      return Path.of(SessionTest.class.getResource("config.json").toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  @BeforeAll
  static void create() {
    model =
        Model.create(
            config(),
            42,
            ModelOptions.defaults().backend("cpu:reference").tokenizer(new ByteTokenizer()));
  }

  @AfterAll
  static void close() {
    model.close();
    model.close();
  }

  private static int[] tokens(int count, int seed) {
    return new java.util.Random(seed).ints(count, 1, 256).toArray();
  }

  private static List<Integer> greedy(Session session, int count) {
    return Goldens.continuation(session, count);
  }

  @Test
  void logitsDoNotDependOnHowThePromptIsCut() {
    int[] ids = tokens(200, 1);
    float[] whole;
    try (Session session = model.newSession()) {
      session.append(ids);
      whole = session.logits();
    }
    for (int chunk : new int[] {1, 3, 64, 199}) {
      SessionOptions options = SessionOptions.defaults().prefillChunk(chunk);
      try (Session session = model.newSession(options)) {
        session.append(ids);
        Goldens.assertClose(whole, session.logits(), 1e-3, "chunks of " + chunk);
      }
    }
    try (Session session = model.newSession()) {
      for (int id : ids) {
        session.append(id);
      }
      Goldens.assertClose(whole, session.logits(), 1e-3, "one by one");
    }
  }

  @Test
  void halfPrecisionCacheStaysClose() {
    int[] ids = tokens(150, 2);
    try (Session exact = model.newSession();
        Session half = model.newSession(SessionOptions.defaults().kvCacheType(DType.F16))) {
      exact.append(ids);
      half.append(ids);
      Goldens.assertClose(exact.logits(), half.logits(), 0.1, "F16 cache");
    }
  }

  @Test
  void rewindForgetsExactly() {
    int[] ids = tokens(140, 3);
    try (Session session = model.newSession();
        Session fresh = model.newSession()) {
      session.append(ids);
      session.append(tokens(60, 4));
      session.rewind(140);
      assertEquals(140, session.position());
      fresh.append(ids);
      assertArrayEquals(fresh.tokens(), session.tokens());
      assertEquals(greedy(fresh, 40), greedy(session, 40));
      session.rewind(0);
      assertEquals(0, session.position());
      assertThrows(InvalidInputException.class, session::logits);
      assertThrows(InvalidInputException.class, () -> session.rewind(1));
      assertThrows(InvalidInputException.class, () -> session.rewind(-1));
    }
  }

  @Test
  void forksGoTheirOwnWays() {
    int[] ids = tokens(130, 5);
    List<Integer> expectedA;
    List<Integer> expectedB;
    try (Session a = model.newSession();
        Session b = model.newSession()) {
      a.append(ids);
      a.append('a');
      expectedA = greedy(a, 30);
      b.append(ids);
      b.append('b');
      expectedB = greedy(b, 30);
    }
    assertNotEquals(expectedA, expectedB);
    Session session = model.newSession();
    session.append(ids);
    try (Session fork = session.fork()) {
      fork.append('b');
      session.append('a');
      assertEquals(expectedB, greedy(fork, 30));
      assertEquals(expectedA, greedy(session, 30));
      session.close();
      fork.rewind(130);
      fork.append('a');
      assertEquals(expectedA, greedy(fork, 30), "the fork lives on without its parent");
    }
  }

  @Test
  void aPromptThatDoesNotFitChangesNothing() {
    try (Session session = model.newSession(SessionOptions.defaults().contextSize(20))) {
      session.append(tokens(15, 6));
      float[] before = session.logits();
      ContextOverflowException e =
          assertThrows(ContextOverflowException.class, () -> session.append(tokens(6, 7)));
      assertEquals(21, e.required());
      assertEquals(20, e.available());
      assertTrue(e.getMessage().contains("21") && e.getMessage().contains("20"), e.getMessage());
      assertThrows(
          ContextOverflowException.class,
          () -> session.generate(tokens(6, 7), GenerationOptions.greedy()));
      assertEquals(15, session.position());
      assertArrayEquals(before, session.logits());
    }
    assertThrows(
        InvalidInputException.class,
        () -> model.newSession(SessionOptions.defaults().contextSize(301)));
  }

  @Test
  void aFullContextEndsTheGeneration() {
    try (Session session = model.newSession(SessionOptions.defaults().contextSize(20));
        Generation generation =
            session.generate(tokens(15, 6), GenerationOptions.greedy().ignoreModelStops(true))) {
      int count = 0;
      for (GeneratedToken token : generation) {
        assertTrue(token.id() >= 0);
        count++;
      }
      assertEquals(5, count);
      assertEquals(Optional.of(FinishReason.LENGTH), generation.finishReason());
      assertEquals(20, session.position());
      assertFalse(session.generate(new int[0], GenerationOptions.greedy()).iterator().hasNext());
    }
  }

  @Test
  void tokensOutsideTheVocabularyAreRefused() {
    try (Session session = model.newSession()) {
      assertThrows(InvalidInputException.class, () -> session.append(1, 256));
      assertThrows(InvalidInputException.class, () -> session.append(-1));
      assertThrows(
          InvalidInputException.class,
          () -> session.generate(new int[0], GenerationOptions.greedy()));
      assertEquals(0, session.position());
    }
  }

  @Test
  void manySessionsOnManyThreadsGiveWhatEachGivesAlone() throws Exception {
    List<List<Integer>> alone = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      alone.add(run(i));
    }
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      List<Callable<List<Integer>>> tasks = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        int seed = i;
        tasks.add(() -> run(seed));
      }
      int i = 0;
      for (Future<List<Integer>> together : threads.invokeAll(tasks)) {
        assertEquals(alone.get(i++), together.get());
      }
    } finally {
      threads.shutdownNow();
    }
  }

  private static List<Integer> run(int seed) {
    try (Session session = model.newSession()) {
      session.append(tokens(20 + 11 * seed, seed));
      return greedy(session, 50);
    }
  }

  @Test
  void cancelFromAnotherThreadEndsTheIteration() throws Exception {
    try (Session session = model.newSession();
        Generation generation =
            session.generate(PROMPT, GenerationOptions.greedy().ignoreModelStops(true))) {
      Iterator<GeneratedToken> tokens = generation.iterator();
      tokens.next();
      Thread other = new Thread(generation::cancel);
      other.start();
      other.join();
      assertFalse(tokens.hasNext());
      assertEquals(Optional.of(FinishReason.CANCELLED), generation.finishReason());
      assertEquals(PROMPT.length + 1, session.position(), "the session remains usable");
      assertEquals(5, greedy(session, 5).size());
    }
  }

  @Test
  void cancelBeforeThePromptRunsNothing() {
    try (Session session = model.newSession()) {
      session.append(tokens(5, 8));
      Generation generation = session.generate(tokens(200, 9), GenerationOptions.greedy());
      generation.cancel();
      assertEquals(Optional.of(FinishReason.CANCELLED), generation.finishReason());
      assertFalse(generation.iterator().hasNext());
      assertEquals(5, session.position());
    }
  }

  /** The prompt has 250 chunks; the cancellation comes while they run. */
  @Test
  void cancelTakesEffectBetweenPrefillChunks() throws Exception {
    boolean seen = false;
    for (int attempt = 0; attempt < 50 && !seen; attempt++) {
      try (Session session = model.newSession(SessionOptions.defaults().prefillChunk(1))) {
        Generation generation = session.generate(tokens(250, 9), GenerationOptions.greedy());
        Thread prefill = new Thread(() -> generation.iterator().hasNext());
        prefill.start();
        while (session.position() == 0 && prefill.isAlive()) {
          Thread.onSpinWait();
        }
        generation.cancel();
        prefill.join();
        seen = session.position() == 0;
        if (seen) {
          assertEquals(Optional.of(FinishReason.CANCELLED), generation.finishReason());
          assertEquals(0, generation.usage().promptTokens());
        }
      }
    }
    assertTrue(seen, "the prompt was never cut off");
  }

  @Test
  void closeDuringACallIsSafe() throws Exception {
    for (int round = 0; round < 5; round++) {
      Session session = model.newSession(SessionOptions.defaults().prefillChunk(1));
      ExecutorService thread = Executors.newSingleThreadExecutor();
      try {
        Future<FinishReason> reason =
            thread.submit(
                () -> {
                  Generation generation =
                      session.generate(
                          tokens(250, 10), GenerationOptions.greedy().ignoreModelStops(true));
                  generation.complete();
                  return generation.finishReason().orElseThrow();
                });
        Thread.sleep(3L * round);
        session.close();
        session.close();
        try {
          assertTrue(List.of(FinishReason.CANCELLED, FinishReason.LENGTH).contains(reason.get()));
        } catch (java.util.concurrent.ExecutionException e) {
          // closed before the generation had begun
          assertEquals(InvalidInputException.class, e.getCause().getClass());
        }
      } finally {
        thread.shutdownNow();
      }
      assertThrows(InvalidInputException.class, () -> session.append(1));
    }
  }

  @Test
  void aConsumerMayCloseItsSession() {
    for (int chunk : new int[] {4, 512}) {
      Session session = model.newSession(SessionOptions.defaults().prefillChunk(chunk));
      int[] calls = new int[1];
      assertThrows(
          CancelledException.class,
          () ->
              session.append(
                  tokens(50, 11),
                  (position, logits) -> {
                    calls[0]++;
                    session.close();
                  }));
      assertEquals(1, calls[0]);
      assertThrows(InvalidInputException.class, session::logits);
    }
  }

  /** A consumer that changed the session under the call that feeds it would corrupt it. */
  @Test
  void aConsumerMayNotUseItsSession() {
    try (Session session = model.newSession();
        Session untouched = model.newSession()) {
      session.append(1, 2, 3);
      untouched.append(1, 2, 3);
      assertThrows(
          InvalidInputException.class,
          () -> session.append(tokens(9, 1), (position, logits) -> session.rewind(0)));
      assertThrows(
          InvalidInputException.class,
          () -> session.append(tokens(9, 1), (position, logits) -> session.append(1)));
      assertThrows(
          InvalidInputException.class,
          () -> session.append(tokens(9, 1), (position, logits) -> session.logits()));
      assertThrows(
          IllegalStateException.class,
          () ->
              session.append(
                  tokens(9, 1),
                  (position, logits) -> {
                    throw new IllegalStateException("of the consumer's own");
                  }));
      assertEquals(3, session.position(), "none is appended");
      Goldens.assertClose(untouched.logits(), session.logits(), 1e-4, "as before");
      assertEquals(greedy(untouched, 10), greedy(session, 10));
    }
  }

  @Test
  void closingTheModelEndsARunningGeneration() throws Exception {
    Model own = Model.create(config(), 1, ModelOptions.defaults().backend("cpu:reference"));
    Session session = own.newSession();
    Generation generation =
        session.generate(PROMPT, GenerationOptions.greedy().ignoreModelStops(true));
    Iterator<GeneratedToken> tokens = generation.iterator();
    tokens.next();
    Thread other = new Thread(own::close);
    other.start();
    other.join();
    assertFalse(tokens.hasNext());
    assertEquals(Optional.of(FinishReason.CANCELLED), generation.finishReason());
  }

  @Test
  void closingTheModelClosesItsSessions() {
    Model own = Model.create(config(), 1, ModelOptions.defaults().backend("cpu:reference"));
    Session session = own.newSession();
    session.append(1, 2, 3);
    own.close();
    assertThrows(InvalidInputException.class, () -> session.append(1));
    assertThrows(InvalidInputException.class, own::newSession);
    session.close();
  }

  @Test
  void theSameSeedGivesTheSameModel() {
    try (Model same = Model.create(config(), 42);
        Model other = Model.create(config(), 43);
        Session a = model.newSession();
        Session b = same.newSession();
        Session c = other.newSession()) {
      a.append(PROMPT);
      b.append(PROMPT);
      c.append(PROMPT);
      Goldens.assertClose(a.logits(), b.logits(), 1e-3, "same seed");
      assertNotEquals(List.of(greedy(a, 20)), List.of(greedy(c, 20)));
    }
  }

  @Test
  void scoringHandsOutEveryPosition() {
    int[] ids = tokens(60, 12);
    try (Session scored = model.newSession(SessionOptions.defaults().prefillChunk(25));
        Session stepped = model.newSession()) {
      List<Integer> positions = new ArrayList<>();
      scored.append(tokens(7, 13));
      stepped.append(tokens(7, 13));
      scored.append(
          ids,
          (position, logits) -> {
            positions.add(position);
            stepped.append(ids[position - 7]);
            Goldens.assertClose(stepped.logits(), logits, 1e-3, "position " + position);
          });
      assertEquals(60, positions.size());
      assertEquals(7, positions.get(0));
      assertArrayEquals(stepped.tokens(), scored.tokens());
    }
  }
}
