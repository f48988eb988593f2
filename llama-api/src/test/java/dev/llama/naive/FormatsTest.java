package dev.llama.naive;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.llama.DType;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The oracle of the stored formats against numbers from elsewhere. */
class FormatsTest {

  /**
   * Expected numbers: dequantize() of the Python package gguf 0.19.0 on the same block. All are
   * multiples of powers of two, so the weighted sum, which depends on every element and its place,
   * is exact.
   */
  @ParameterizedTest
  @CsvSource({
    "Q8_0, -63.5, 53.5, 43.0, 4590.5",
    "Q4_0, -3.5, 1.5, 1.5, 242.0",
    "Q4_1, 5.25, 5.25, 6.25, 2208.5",
    "Q5_0, 1.0, -2.5, 3.5, 721.5",
    "Q5_1, 9.75, 10.75, 9.75, 4902.0",
    "Q2_K, 6.0, 12.0, 5.5, 311886.0",
    "Q3_K, -10.0, -10.0, -4.5, -54894.5",
    "Q4_K, 10.5, 87.5, 206.5, 6224462.5",
    "Q5_K, 148.0, 104.0, 41.5, 12069609.5",
    "Q6_K, -288.0, 96.0, 1080.0, 1127199.5"
  })
  void blocksAreReadAsGgmlReadsThem(
      DType type, double first, double second, double last, double weightedSum) {
    double[] values = Formats.decode(type, block(type));
    assertEquals(type.blockElements(), values.length);
    assertEquals(first, values[0]);
    assertEquals(second, values[1]);
    assertEquals(last, values[values.length - 1]);
    double sum = 0;
    for (int i = 0; i < values.length; i++) {
      sum += values[i] * (i + 1);
    }
    assertEquals(weightedSum, sum);
  }

  /** Bytes of a linear congruential generator; the scale is 0.5, the minimum -0.25. */
  private static ByteBuffer block(DType type) {
    ByteBuffer block = ByteBuffer.allocate(type.blockBytes());
    int state = 1;
    while (block.hasRemaining()) {
      state = (int) ((state * 1103515245L + 12345) & 0x7fffffff);
      block.put((byte) (state >> 16));
    }
    int scale = type == DType.Q2_K ? 80 : type == DType.Q3_K ? 108 : type == DType.Q6_K ? 208 : 0;
    putHalf(block, scale, 0x3800);
    if (type == DType.Q4_1 || type == DType.Q5_1 || type.name().matches("Q[245]_K")) {
      putHalf(block, scale + 2, 0xb400);
    }
    return block.flip();
  }

  private static void putHalf(ByteBuffer block, int at, int bits) {
    block.put(at, (byte) bits).put(at + 1, (byte) (bits >> 8));
  }

  @Test
  void everyHalfSurvivesTheWayThereAndBack() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      float value = Formats.fromHalf(bits);
      if (!Float.isNaN(value)) {
        assertEquals(bits, Formats.toHalf(value), "0x" + Integer.toHexString(bits));
      }
    }
  }

  @Test
  void halvesAreRoundedToTheNearestTiesToEven() {
    assertEquals(0x3c00, Formats.toHalf(1 + 0x1p-11f), "tie, down to even");
    assertEquals(0x3c02, Formats.toHalf(1 + 3 * 0x1p-11f), "tie, up to even");
    assertEquals(0x3c01, Formats.toHalf(1 + 0x1.01p-11f));
    assertEquals(0x0000, Formats.toHalf(0x1p-25f), "tie, half of the least number");
    assertEquals(0x0001, Formats.toHalf(0x1.01p-25f));
    assertEquals(0x0400, Formats.toHalf(0x1.fffffep-15f), "up into the normal numbers");
    assertEquals(0x7bff, Formats.toHalf(65519));
    assertEquals(0x7c00, Formats.toHalf(65520));
    assertEquals(0xfc00, Formats.toHalf(Float.NEGATIVE_INFINITY));
    assertEquals(0x8000, Formats.toHalf(-0f));
  }

  @Test
  void normalDistribution() {
    assertEquals(0.5, Scalar.normalCdf(0));
    assertEquals(0.8413447460685429, Scalar.normalCdf(1), 1e-15);
    assertEquals(0.022750131948179195, Scalar.normalCdf(-2), 1e-15);
    assertEquals(0.0013498980316300933, Scalar.normalCdf(-3), 1e-15);
    assertEquals(2.866515718791933e-7, Scalar.normalCdf(-5), 1e-20);
    assertEquals(7.61985302416047e-24, Scalar.normalCdf(-10), 1e-37);
    assertEquals(1, Scalar.normalCdf(50));
  }
}
