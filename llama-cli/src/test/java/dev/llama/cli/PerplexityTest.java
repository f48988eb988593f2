package dev.llama.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PerplexityTest {
  /** Each token of the text is the successor of the one before: logit 2 among 258. */
  private static final double NLL = Math.log(257 + Math.exp(2)) - 2;

  @ParameterizedTest
  @CsvSource({"2,8,1", "9,8,1", "50,8,4", "50,8,7", "50,8,1", "17,8,4", "8,8,4"})
  void everyTokenIsScoredOnceInWindowsOfTheContext(int length, int context, int stride) {
    FakeSession session = new FakeSession(context);
    int[] ids = IntStream.range(10, 10 + length).toArray();
    List<Integer> progress = new ArrayList<>();
    Perplexity result = Perplexity.of(session, ids, false, stride, progress::add);
    assertEquals(length - 1, result.scored());
    assertEquals(IntStream.range(1, length).boxed().toList(), progress);
    assertEquals(NLL, result.meanNll(), 1e-6);
    assertEquals(Math.exp(NLL), result.perplexity(), 1e-3);
    assertEquals(session.windows.size(), result.windows());
    assertTrue(session.windows.stream().allMatch(size -> size < context));
  }

  @Test
  void everyWindowBeginsAsTheTextDoes() {
    FakeSession session = new FakeSession(8);
    int[] ids = IntStream.concat(IntStream.of(256), IntStream.range(10, 30)).toArray();
    Perplexity result = Perplexity.of(session, ids, true, 3, done -> {});
    assertEquals(20, result.scored());
    assertEquals(256, session.tokens()[0]);
    // Only the first token of the text is no successor of the one before it.
    assertEquals((19 * NLL + NLL + 2) / 20, result.meanNll(), 1e-6);
  }

  @Test
  void largeLogitsDoNotOverflow() {
    assertEquals(0, Perplexity.nll(new float[] {1e4f, 0}, 0), 1e-12);
    assertEquals(1e4, Perplexity.nll(new float[] {1e4f, 0}, 1), 1e-9);
  }
}
