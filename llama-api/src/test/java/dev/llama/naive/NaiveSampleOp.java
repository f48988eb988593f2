package dev.llama.naive;

import dev.llama.spi.Draw;
import dev.llama.spi.SampleOp;
import dev.llama.spi.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/** Draws as {@link Draw} says, sentence by sentence, by sorting everything. */
public class NaiveSampleOp implements SampleOp {
  @Override
  public void sample(Tensor out, Tensor logits, Tensor draws) {
    double[] values = NaiveTensor.values(logits);
    int[] words = NaiveTensor.ints(draws);
    int width = (int) logits.width();
    double[] tokens = new double[values.length / width];
    for (int r = 0; r < tokens.length; r++) {
      float[] row = new float[width];
      for (int i = 0; i < width; i++) {
        row[i] = (float) values[r * width + i];
      }
      tokens[r] = choose(row, read(words, r * Draw.WORDS));
    }
    NaiveTensor.set(out, tokens);
  }

  /** What mutants do wrong. */
  int choose(float[] logits, Draw draw) {
    return token(logits, draw);
  }

  private static Draw read(int[] words, int at) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * Draw.WORDS).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asIntBuffer().put(words, at, Draw.WORDS);
    return new Draw(
        bytes.getFloat(0),
        bytes.getInt(4),
        bytes.getFloat(8),
        bytes.getFloat(12),
        bytes.getDouble(24));
  }

  /** The token that a draw gives. */
  public static int token(float[] logits, Draw draw) {
    List<Integer> kept = new ArrayList<>();
    for (int id = 0; id < logits.length; id++) {
      if (!(logits[id] < Float.POSITIVE_INFINITY)) {
        return Draw.NOTHING;
      }
      if (logits[id] > Float.NEGATIVE_INFINITY) {
        kept.add(id);
      }
    }
    if (kept.isEmpty()) {
      return Draw.NOTHING;
    }
    // A stable sort keeps equals in the order of their ids; - 0 is equal to 0.
    kept.sort(Comparator.comparingDouble(id -> -(logits[id] + 0.0)));
    float top = logits[kept.get(0)];
    if (draw.topK() > 0 && draw.topK() < kept.size()) {
      kept = kept.subList(0, draw.topK());
    }
    if (draw.topP() < 1) {
      kept = kept.subList(0, countForTopP(kept, logits, top, draw));
    }
    List<Integer> left = new ArrayList<>(kept);
    left.removeIf(id -> logits[id] < draw.least(top));
    left.sort(Comparator.naturalOrder());
    long sum = 0;
    for (int id : left) {
      sum += Draw.weight((logits[id] - top) / draw.temperature());
    }
    long running = 0;
    for (int id : left) {
      running += Draw.weight((logits[id] - top) / draw.temperature());
      if (running > draw.point(sum)) {
        return id;
      }
    }
    throw new AssertionError("the point is beyond the sum");
  }

  private static int countForTopP(List<Integer> ids, float[] logits, float top, Draw draw) {
    long sum = 0;
    for (int id : ids) {
      sum += Draw.weight(logits[id] - top);
    }
    long running = 0;
    int count = 0;
    while (running < draw.needed(sum)) {
      running += Draw.weight(logits[ids.get(count++)] - top);
    }
    return count;
  }
}
