package dev.llama.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;

/** Half precision is exact in one direction and correctly rounded in the other. */
class Float16Test {
  /** The definition of IEEE 754, for finite values. */
  private static double value(int half) {
    int exponent = half >> 10 & 31;
    int fraction = half & 0x3ff;
    double magnitude =
        exponent == 0
            ? Math.scalb((double) fraction, -24)
            : Math.scalb(1024.0 + fraction, exponent - 25);
    return (half & 0x8000) == 0 ? magnitude : -magnitude;
  }

  @Test
  void everyHalfHasItsValue() {
    for (int half = 0; half < 0x10000; half++) {
      float converted = Float16.toFloat((short) half);
      if ((half & 0x7c00) != 0x7c00) {
        assertEquals(value(half), converted, 0.0, "half " + half);
        assertEquals(half >= 0x8000, Float.floatToRawIntBits(converted) < 0, "sign of " + half);
      } else if ((half & 0x3ff) == 0) {
        assertEquals((half & 0x8000) == 0 ? 1 / 0f : -1 / 0f, converted);
      } else {
        assertTrue(Float.isNaN(converted), "half " + half);
      }
    }
  }

  @Test
  void oneAtATimeItIsTheSame() {
    for (int half = 0; half < 0x10000; half++) {
      assertEquals(
          Float.floatToRawIntBits(Float16.toFloat((short) half)),
          Float.floatToRawIntBits(Float16.single(half)),
          "half " + half);
      assertEquals(
          Float16.single(half), Float16.single((short) half), "the upper bits do not count");
    }
  }

  @Test
  void everyHalfSurvivesTheRoundTrip() {
    for (int half = 0; half < 0x10000; half++) {
      float converted = Float16.toFloat((short) half);
      short back = Float16.fromFloat(converted);
      if (Float.isNaN(converted)) {
        assertTrue(Float.isNaN(Float16.toFloat(back)));
      } else {
        assertEquals((short) half, back);
      }
    }
  }

  @Test
  void roundsToNearestTiesToEven() {
    for (int half = 0; half < 0x7bff; half++) {
      double low = value(half);
      double high = value(half + 1);
      float middle = (float) ((low + high) / 2); // exact: a float has 13 bits more
      short even = (short) ((half & 1) == 0 ? half : half + 1);
      assertEquals(even, Float16.fromFloat(middle));
      assertEquals((short) half, Float16.fromFloat(Math.nextDown(middle)));
      assertEquals((short) (half + 1), Float16.fromFloat(Math.nextUp(middle)));
      assertEquals((short) (even | 0x8000), Float16.fromFloat(-middle));
    }
  }

  @Test
  void overflowsFromHalfAStepAboveTheLargest() {
    assertEquals((short) 0x7bff, Float16.fromFloat(Math.nextDown(65520f)));
    assertEquals((short) 0x7c00, Float16.fromFloat(65520f));
    assertEquals((short) 0xfc00, Float16.fromFloat(-Float.MAX_VALUE));
    assertEquals((short) 0x7c00, Float16.fromFloat(Float.POSITIVE_INFINITY));
  }

  @Test
  void nanStaysNanWhateverItsPayload() {
    Random random = new Random(1);
    for (int i = 0; i < 1000; i++) {
      float nan = Float.intBitsToFloat(0x7f800001 + random.nextInt(0x7ffffe));
      assertTrue(Float.isNaN(Float16.toFloat(Float16.fromFloat(nan))));
    }
  }
}
