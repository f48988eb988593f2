package dev.llama.cpu;

import static dev.llama.cpu.VectorCodecs.FLOATS;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** The loops of attention with the Vector API. */
final class VectorLoops implements Loops {
  private static final int LANES = FLOATS.length();

  @Override
  public float dot(float[] a, int aFrom, float[] b, int bFrom, int count) {
    return product(a, aFrom, b, bFrom, count);
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
    float sum = s0.add(s1).reduceLanes(VectorOperators.ADD);
    for (; i < count; i++) {
      sum += a[aFrom + i] * b[bFrom + i];
    }
    return sum;
  }
}
