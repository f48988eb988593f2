package dev.llama.cpu;

import static dev.llama.cpu.VectorCodecs.FLOATS;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorShuffle;

/** The loops of attention with the Vector API. */
final class VectorLoops implements Loops {
  private static final int LANES = FLOATS.length();
  private static final VectorShuffle<Float> BY_HALF = by(LANES / 2);
  private static final VectorShuffle<Float> BY_QUARTER = by(LANES / 4);
  private static final VectorShuffle<Float> BY_EIGHTH = by(Math.max(1, LANES / 8));
  private static final VectorShuffle<Float> BY_ONE = by(1);

  @Override
  public float dot(float[] a, int aFrom, float[] b, int bFrom, int count) {
    return product(a, aFrom, b, bFrom, count);
  }

  /**
   * Returns the sum of a vector's elements. {@code reduceLanes} may add them in any order, and does
   * so in another one once it is compiled; results must not depend on that.
   */
  static float total(FloatVector v) {
    FloatVector w = v.add(v.rearrange(BY_HALF));
    w = w.add(w.rearrange(BY_QUARTER));
    if (LANES >= 8) {
      w = w.add(w.rearrange(BY_EIGHTH));
    }
    if (LANES == 16) {
      w = w.add(w.rearrange(BY_ONE));
    }
    return w.lane(0);
  }

  private static VectorShuffle<Float> by(int distance) {
    return VectorShuffle.fromOp(FLOATS, i -> (i + distance) % LANES);
  }

  static float product(float[] a, int aFrom, float[] b, int bFrom, int count) {
    FloatVector s0 = FloatVector.zero(FLOATS);
    FloatVector s1 = s0;
    int i = 0;
    for (; i <= count - 2 * LANES; i += 2 * LANES) {
      s0 =
          FloatVector.fromArray(FLOATS, a, aFrom + i)
              .fma(FloatVector.fromArray(FLOATS, b, bFrom + i), s0);
      s1 =
          FloatVector.fromArray(FLOATS, a, aFrom + i + LANES)
              .fma(FloatVector.fromArray(FLOATS, b, bFrom + i + LANES), s1);
    }
    float sum = total(s0.add(s1));
    for (; i < count; i++) {
      sum += a[aFrom + i] * b[bFrom + i];
    }
    return sum;
  }
}
