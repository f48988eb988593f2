package dev.llama.spi.conformance;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.llama.DType;
import dev.llama.naive.NaiveSampleOp;
import dev.llama.spi.Draw;
import dev.llama.spi.Tensor;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Drawn tokens are those of {@link Draw}, exactly. */
interface SampleChecks extends Checks {
  /** Random numbers at both ends, and between them. */
  double[] UNIFORM = {0, 1e-9, 0.1, 0.33, 0.5, 0.77, 0.999, Math.nextDown(1.0)};

  @Test
  default void samplesWithoutFilters() {
    for (int width : new int[] {1, 3, 17, 33, 129, 1000}) {
      samples("no filter, " + width, logits("no filter", width, 3), 1, 0, 1, 0);
      samples("cold, " + width, logits("cold", width, 3), 0.1f, 0, 1, 0);
      samples("hot, " + width, logits("hot", width, 3), 50, 0, 1, 0);
    }
    samples("nearly greedy", logits("greedy", 300, 3), Float.MIN_NORMAL, 0, 1, 0);
    samples("nearly flat", logits("flat", 300, 3), Float.MAX_VALUE, 0, 1, 0);
  }

  @Test
  default void samplesTheLikeliest() {
    float[] logits = logits("top-k", 700, 3);
    for (int topK : new int[] {1, 2, 40, 512, 699, 700, 701, Integer.MAX_VALUE}) {
      samples("top-k " + topK, logits, 1, topK, 1, 0);
      samples("top-k, top-p, min-p " + topK, logits, 0.8f, topK, 0.95f, 0.05f);
    }
  }

  @Test
  default void samplesTheNucleus() {
    float[] logits = logits("top-p", 700, 3);
    for (float topP : new float[] {1e-6f, 0.1f, 0.5f, 0.9f, 0.999f, Math.nextDown(1f)}) {
      samples("top-p " + topP, logits, 1, 0, topP, 0);
      samples("top-p of 5, " + topP, logits, 2, 5, topP, 0);
    }
  }

  @Test
  default void samplesWhatIsLikelyEnough() {
    float[] logits = logits("min-p", 700, 3);
    for (float minP : new float[] {1e-30f, 1e-6f, 0.05f, 0.5f, 1}) {
      samples("min-p " + minP, logits, 1.5f, 0, 1, minP);
      samples("top-p and min-p " + minP, logits, 1.5f, 0, 0.9f, minP);
    }
  }

  /** Filters that end among equal logits keep the lowest ids. */
  @Test
  default void samplesAmongEquals() {
    float[] equal = new float[300];
    float[] steps = new float[300];
    for (int i = 0; i < steps.length; i++) {
      steps[i] = i % 7;
    }
    float[] zeros = {0, -0.0f, -1, -0.0f, 0, 0, -0.0f};
    for (int topK : new int[] {1, 2, 3, 45, 100, 299}) {
      samples("top-k of equals " + topK, equal, 1, topK, 1, 0);
      samples("top-k of steps " + topK, steps, 1, topK, 1, 0);
      samples("top-k and top-p of steps " + topK, steps, 1, topK, 0.7f, 0);
      samples("top-k of zeros " + topK, zeros, 1, topK, 0.5f, 0);
    }
    for (float topP : new float[] {0.01f, 0.2f, 0.5f, 0.99f}) {
      samples("top-p of equals " + topP, equal, 1, 0, topP, 0);
      samples("top-p of steps " + topP, steps, 1, 0, topP, 0);
    }
    samples("min-p of steps", steps, 1, 0, 1, (float) Math.exp(-2));
  }

  @Test
  default void samplesFromAwkwardRanges() {
    float[] far = logits("far", 200, 6e37);
    float[] near = logits("near", 200, 1e-30);
    float[] masked = logits("masked", 200, 3);
    Arrays.fill(masked, 0, 150, Float.NEGATIVE_INFINITY);
    masked[199] = Float.NEGATIVE_INFINITY;
    for (float[] logits : List.of(far, near, masked)) {
      samples("awkward range", logits, 1, 0, 1, 0);
      samples("awkward range, top-k", logits, 1, 60, 1, 0);
      samples("awkward range, top-p", logits, 1, 0, 0.9f, 0);
      samples("awkward range, min-p", logits, 1, 0, 1, 0.1f);
      samples("awkward range, all", logits, 0.7f, 40, 0.95f, 0.05f);
    }
  }

  @Test
  default void samplesFromALargeVocabulary() {
    float[] logits = logits("large", 128256, 3);
    samples("large, defaults", logits, new Draw(0.8f, 40, 0.95f, 0.05f, 0.7));
    samples("large, top-p", logits, new Draw(1, 0, 0.95f, 0, 0.3), new Draw(1, 0, 0.9f, 0, 0.8));
    samples("large, no filter", logits, new Draw(1, 0, 1, 0, 0.5));
  }

  /** Each row by its own draw. */
  @Test
  default void samplesRowByRow() {
    assumeSamples();
    Random random = Lab.random("rows");
    int width = 2500;
    Draw[] draws = new Draw[17];
    float[] rows = new float[draws.length * width];
    int[] expected = new int[draws.length];
    for (int r = 0; r < draws.length; r++) {
      float[] row = logits("row " + r, width, 4);
      System.arraycopy(row, 0, rows, r * width, width);
      float temperature = 0.2f + random.nextFloat();
      float topP = r % 3 == 0 ? 1 : 1 - random.nextFloat();
      draws[r] = new Draw(temperature, random.nextInt(50), topP, 0.01f, random.nextDouble());
      expected[r] = NaiveSampleOp.token(row, draws[r]);
    }
    Expect.same("sample of rows", sample(rows, draws), expected);
  }

  @Test
  default void samplesNothingFromBrokenLogits() {
    assumeSamples();
    for (int width : new int[] {1, 33, 5000}) {
      for (float broken : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
        float[] logits = logits("broken", width, 1);
        logits[width / 2] = broken;
        nothing(logits);
        Arrays.fill(logits, broken);
        nothing(logits);
      }
      float[] forbidden = new float[width];
      Arrays.fill(forbidden, Float.NEGATIVE_INFINITY);
      nothing(forbidden);
    }
  }

  private void nothing(float[] logits) {
    for (Draw draw : draws(1, 40, 0.95f, 0.05f)) {
      Expect.same("sample of broken logits", sample(logits, draw), new int[] {Draw.NOTHING});
    }
    for (Draw draw : draws(1, 0, 1, 0)) {
      Expect.same("sample of broken logits", sample(logits, draw), new int[] {Draw.NOTHING});
    }
  }

  private void assumeSamples() {
    assumeTrue(lab().backend().sampleOp().isPresent(), "this backend lets the host draw");
  }

  private static float[] logits(String name, int width, double scale) {
    double[] values = Lab.normal(Lab.random(name + width), width, scale);
    float[] logits = new float[width];
    for (int i = 0; i < width; i++) {
      logits[i] = (float) values[i];
    }
    return logits;
  }

  private static Draw[] draws(float temperature, int topK, float topP, float minP) {
    return Arrays.stream(UNIFORM)
        .mapToObj(uniform -> new Draw(temperature, topK, topP, minP, uniform))
        .toArray(Draw[]::new);
  }

  private void samples(
      String what, float[] logits, float temperature, int topK, float topP, float minP) {
    samples(what, logits, draws(temperature, topK, topP, minP));
  }

  /** The same logits for each draw, in one call. */
  private void samples(String what, float[] logits, Draw... draws) {
    assumeSamples();
    float[] rows = new float[draws.length * logits.length];
    int[] expected = new int[draws.length];
    for (int r = 0; r < draws.length; r++) {
      System.arraycopy(logits, 0, rows, r * logits.length, logits.length);
      expected[r] = NaiveSampleOp.token(logits, draws[r]);
    }
    Expect.same("sample, " + what, sample(rows, draws), expected);
  }

  private int[] sample(float[] rows, Draw... draws) {
    double[] values = new double[rows.length];
    for (int i = 0; i < rows.length; i++) {
      values[i] = rows[i];
    }
    ByteBuffer bytes = ByteBuffer.allocateDirect(4 * Draw.WORDS * draws.length);
    for (Draw draw : draws) {
      draw.put(bytes);
    }
    bytes.flip();
    Tensor parameters = lab().keep(lab().backend().allocate(DType.I32, draws.length, Draw.WORDS));
    lab().backend().write(parameters, bytes);
    int[] unset = new int[draws.length];
    Arrays.fill(unset, -7);
    Tensor out = lab().ints(unset);
    Tensor logits = lab().matrix(values, rows.length / draws.length);
    lab().backend().sampleOp().orElseThrow().sample(out, logits, parameters);
    double[] after = lab().read(logits);
    Expect.same("logits that were sampled", after, values, rows.length / draws.length);
    return lab().readInts(out);
  }
}
