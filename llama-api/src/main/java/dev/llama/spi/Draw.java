package dev.llama.spi;

import dev.llama.InvalidInputException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * How one token is drawn from a row of logits: the filters of {@link dev.llama.GenerationOptions},
 * and a random number. Weights are integers, so that sums of them have no order, and the token is
 * defined to the last bit: with equal logits it is the same on all backends.
 *
 * <ol>
 *   <li>Candidates are all ids whose logit is above negative infinity, the largest logit first, and
 *       among equals the lowest id. {@code top} is the first one's logit.
 *   <li>The first {@code topK} are kept; all, if that is 0.
 *   <li>If {@code topP} is below 1: the first of them are kept whose {@code weight(logit - top)}
 *       sum up to at least {@link #needed} of the sum of all of them.
 *   <li>Of these, logits below {@link #least} are dropped.
 *   <li>Those left are put in the order of their ids, with {@code weight((logit - top) /
 *       temperature)}. The token is the first one at which their running sum exceeds {@link #point}
 *       of their sum.
 * </ol>
 *
 * <p>There is no token, {@link #NOTHING}, if a logit is NaN or positive infinity, or none is above
 * negative infinity.
 *
 * @param temperature divides the differences of logits; above 0
 * @param topK candidates to keep; 0 keeps all
 * @param topP part of the weight to keep, in (0, 1]
 * @param minP least likelihood, as a fraction of the first candidate's, in [0, 1]
 * @param uniform random number in [0, 1)
 */
public record Draw(float temperature, int topK, float topP, float minP, double uniform) {
  /** What stands for a token where there is none to choose. */
  public static final int NOTHING = -1;

  /** Numbers of 32 bits that {@link #put} writes. */
  public static final int WORDS = 8;

  private static final int FRACTION_BITS = 25;
  private static final float MINUS_LOG2_E = -1.442695041f * (1 << FRACTION_BITS);
  private static final float WEIGHTLESS = -28; // 2^-40 is e^-27.7
  private static final int ONE_BITS = 30;

  /** {@code 2^-x = sum C[i] x^i} for x in [0, 1], times 2^30; off by less than 6e-9. */
  private static final int[] C = {
    1 << ONE_BITS, -744261009, 257939158, -59583624, 10287177, -1370086, 117472
  };

  /**
   * Checks its parts.
   *
   * @throws InvalidInputException if one is out of its range
   */
  public Draw {
    check(temperature > 0 && temperature <= Float.MAX_VALUE, "temperature", temperature, "above 0");
    check(topK >= 0, "topK", topK, "at least 0");
    check(topP > 0 && topP <= 1, "topP", topP, "in (0, 1]");
    check(minP >= 0 && minP <= 1, "minP", minP, "in [0, 1]");
    check(uniform >= 0 && uniform < 1, "uniform", uniform, "in [0, 1)");
  }

  private static void check(boolean good, String name, Object value, String expected) {
    if (!good) {
      throw new InvalidInputException(
          "draw: " + name + " is " + value + "; it must be " + expected);
    }
  }

  /**
   * Returns the weight of a candidate: {@code 2^40 exp(x)}, rounded in a way that every machine
   * repeats exactly.
   *
   * @param x at most 0
   * @return 2^40 for 0; 0 from {@code x = -28} down
   */
  public static long weight(float x) {
    if (!(x > WEIGHTLESS)) {
      return 0;
    }
    int exponent = (int) (x * MINUS_LOG2_E);
    int fraction = (exponent & (1 << FRACTION_BITS) - 1) << ONE_BITS - FRACTION_BITS;
    int power = C[C.length - 1];
    for (int i = C.length - 2; i >= 0; i--) {
      power = C[i] + (int) ((long) power * fraction >> ONE_BITS);
    }
    return ((long) power << 40 - ONE_BITS) >> (exponent >> FRACTION_BITS);
  }

  /**
   * Returns the weight that top-p keeps at least.
   *
   * @param sum of the weights
   * @return sum * topP, rounded up
   */
  public long needed(long sum) {
    return (long) Math.ceil(topP * (double) sum);
  }

  /**
   * Returns the logit that min-p keeps at least.
   *
   * @param top largest logit
   * @return top + ln(minP)
   */
  public double least(float top) {
    return top + StrictMath.log(minP);
  }

  /**
   * Returns where the draw falls.
   *
   * @param sum of the weights, above 0
   * @return sum * uniform, rounded down, and below the sum
   */
  public long point(long sum) {
    return Math.min((long) (uniform * sum), sum - 1);
  }

  /**
   * Writes a row of the tensor that {@link SampleOp#sample} takes: temperature (F32), topK (I32),
   * topP (F32), minP (F32), the natural logarithm of minP (F64), uniform (F64), little-endian.
   *
   * @param destination has room for {@link #WORDS} numbers of 4 bytes; its position moves on
   */
  public void put(ByteBuffer destination) {
    ByteOrder order = destination.order();
    destination.order(ByteOrder.LITTLE_ENDIAN);
    destination.putFloat(temperature).putInt(topK).putFloat(topP).putFloat(minP);
    destination.putDouble(StrictMath.log(minP)).putDouble(uniform);
    destination.order(order);
  }
}
