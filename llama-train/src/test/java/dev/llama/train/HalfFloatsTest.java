package dev.llama.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** Every 16-bit pattern, and how numbers between them are rounded. */
class HalfFloatsTest {
  @Test
  void everyPatternSurvivesTheWayThereAndBack() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      short pattern = (short) bits;
      float f16 = HalfFloats.fromF16(pattern);
      float bf16 = HalfFloats.fromBf16(pattern);
      if (!Float.isNaN(f16)) {
        assertEquals(pattern, HalfFloats.toF16(f16), "F16 " + Integer.toHexString(bits));
      } else {
        assertTrue(Float.isNaN(HalfFloats.fromF16(HalfFloats.toF16(f16))));
      }
      if (!Float.isNaN(bf16)) {
        assertEquals(pattern, HalfFloats.toBf16(bf16), "BF16 " + Integer.toHexString(bits));
      } else {
        assertTrue(Float.isNaN(HalfFloats.fromBf16(HalfFloats.toBf16(bf16))));
      }
    }
  }

  @Test
  void roundsToTheNearestAndToEvenInTheMiddle() {
    for (int bits = 0; bits < 0x7BFF; bits++) { // up to the largest finite F16
      float low = HalfFloats.fromF16((short) bits);
      float high = HalfFloats.fromF16((short) (bits + 1));
      float middle = (low + high) / 2; // exact
      int even = bits % 2 == 0 ? bits : bits + 1;
      assertEquals((short) even, HalfFloats.toF16(middle));
      assertEquals((short) bits, HalfFloats.toF16(Math.nextDown(middle)));
      assertEquals((short) (bits + 1), HalfFloats.toF16(Math.nextUp(middle)));
    }
    assertEquals((short) 0x7C00, HalfFloats.toF16(65520), "infinity");
    assertEquals((short) 0x7BFF, HalfFloats.toF16(65519));
    assertEquals((short) 0x8000, HalfFloats.toF16(-1e-9f), "minus zero");
    assertEquals((short) 0x3F80, HalfFloats.toBf16(1 + 0x1p-8f), "the middle, to even");
    assertEquals((short) 0x3F82, HalfFloats.toBf16(1 + 0x3p-8f));
    assertEquals((short) 0x7F80, HalfFloats.toBf16(Float.MAX_VALUE), "infinity");
  }

  /** Known values: 1, 65504, the smallest normal and subnormal numbers, a third. */
  @Test
  void knownValues() {
    assertEquals((short) 0x3C00, HalfFloats.toF16(1));
    assertEquals((short) 0x7BFF, HalfFloats.toF16(65504));
    assertEquals((short) 0x0400, HalfFloats.toF16(0x1p-14f));
    assertEquals((short) 0x0001, HalfFloats.toF16(0x1p-24f));
    assertEquals((short) 0x3555, HalfFloats.toF16(1 / 3f));
    assertEquals((short) 0xC000, HalfFloats.toBf16(-2));
  }
}
