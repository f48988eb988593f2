package dev.llama.cpu;

import static dev.llama.cpu.VectorCodecs.FLOATS;

import jdk.incubator.vector.FloatVector;

/** The loops of attention with the Vector API. */
final class VectorLoops implements Loops {
  /** Slot of a thread's scratch floats for {@link #total}. */
  static final int LANES_SLOT = 7;

  private static final int LANES = FLOATS.length();

  @Override
  public float dot(float[] a, int aFrom, float[] b, int bFrom, int count, Scratch scratch) {
    return product(a, aFrom, b, bFrom, count, scratch.floats(LANES_SLOT, LANES));
  }

  /**
   * Returns the sum of a vector's elements. {@code reduceLanes} may add them in any order, and does
   * so in another one once it is compiled; results must not depend on that.
   *
   * @param lanes room for a vector
   */
  static float total(FloatVector v, float[] lanes) {
    v.intoArray(lanes, 0);
    float s0 = lanes[0];
    float s1 = lanes[1];
    float s2 = lanes[2];
    float s3 = lanes[3];
    for (int i = 4; i < LANES; i += 4) {
      s0 += lanes[i];
      s1 += lanes[i + 1];
      s2 += lanes[i + 2];
      s3 += lanes[i + 3];
    }
    return (s0 + s1) + (s2 + s3);
  }

  static float product(float[] a, int aFrom, float[] b, int bFrom, int count, float[] lanes) {
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
    float sum = total(s0.add(s1), lanes);
    for (; i < count; i++) {
      sum += a[aFrom + i] * b[bFrom + i];
    }
    return sum;
  }
}
