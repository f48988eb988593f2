package dev.llama.core.quantize;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.DType;
import dev.llama.naive.Formats;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What is encoded is what the layouts of ggml say, and as near as ggml comes, or nearer. */
class FormatTest {
  private static final int COUNT = 16384;

  /** The same numbers in every language: multiples of 1/4096, bell-shaped, up to about 1. */
  private static float[] numbers() {
    float[] x = new float[COUNT];
    for (int i = 0; i < COUNT; i++) {
      int sum = 0;
      for (int k = 0; k < 4; k++) {
        sum += (int) (((long) i * (7919 + k * 104) + k * 31) % 2003) - 1001;
      }
      x[i] = sum / 4096f;
    }
    return x;
  }

  static DType[] types() {
    return Arrays.stream(DType.values())
        .filter(type -> Format.of(type) != null)
        .toArray(DType[]::new);
  }

  static DType[] quantised() {
    return Arrays.stream(types()).filter(DType::isQuantized).toArray(DType[]::new);
  }

  /** Digests of what {@code quantize_row_*_ref} of ggml makes of the numbers. */
  @ParameterizedTest
  @CsvSource({
    "Q8_0, 9bee2a5c144e77bea02e770ecc7588155cfb4800ee76708777d596427df05b28",
    "Q4_0, 79a1bdf0572858bf04da592b9339b393623ddda6291fc09a301db77584c8c4a6",
    "Q4_1, c90138cda267751c8e17768582b839f3a09cfbfb5413432e8fd96fa50deb93de",
    "Q5_0, 2421feedc619761aea0f0c92642426534a76f722a290ebf91355e67682b45d74",
    "Q5_1, 586e16abc3b6b2145e774182a157c516525e1cec341078182fa4551c01514c72"
  })
  void blocksOf32AreThoseOfGgml(DType type, String sha256) throws NoSuchAlgorithmException {
    byte[] digest = MessageDigest.getInstance("SHA-256").digest(encode(type, numbers()));
    StringBuilder hex = new StringBuilder();
    for (byte b : digest) {
      hex.append(String.format("%02x", b));
    }
    assertEquals(sha256, hex.toString());
  }

  /** Relative errors of ggml's own encoders on the same numbers. */
  @ParameterizedTest
  @CsvSource({
    "Q2_K, 0.258749",
    "Q3_K, 0.147888",
    "Q4_K, 0.056681",
    "Q5_K, 0.031687",
    "Q6_K, 0.018098"
  })
  void blocksOf256AreNoWorseThanThoseOfGgml(DType type, double ggml) {
    float[] x = numbers();
    double error = error(x, decode(type, encode(type, x)));
    assertTrue(error <= ggml, type + " has " + error + ", ggml " + ggml);
    assertTrue(error > ggml / 2, type + " cannot be as good as " + error);
  }

  /** Against decoders written apart, from the layout alone. */
  @ParameterizedTest
  @MethodSource("types")
  void decodesWhatTheLayoutSays(DType type) {
    byte[] stored = encode(type, numbers());
    ByteBuffer bytes = ByteBuffer.wrap(stored).order(ByteOrder.LITTLE_ENDIAN);
    double[] expected = Formats.decode(type, bytes);
    float[] actual = decode(type, stored);
    for (int i = 0; i < COUNT; i++) {
      assertEquals(expected[i], actual[i], 1e-6 * (1 + Math.abs(expected[i])), type + " " + i);
    }
  }

  @ParameterizedTest
  @MethodSource("quantised")
  void awkwardNumbersStayClose(DType type) {
    float[][] rows = {
      new float[256],
      constant(0.5f),
      constant(-3),
      constant(1e-30f),
      constant(-60000),
      spike(100),
      spike(-100),
      ramp(1e-6f),
      ramp(200)
    };
    int levels = 1 << Integer.parseInt(type.name().substring(1, 2));
    for (int row = 0; row < rows.length; row++) {
      float[] x = rows[row];
      float[] y = decode(type, encode(type, x));
      float largest = 0;
      for (float value : x) {
        largest = Math.max(largest, Math.abs(value));
      }
      // One step of the integers; scales are F16, whose smallest number is 2^-24.
      double bound = 2.6 * largest / (levels - 1) + levels * 0x1p-24;
      for (int i = 0; i < x.length; i++) {
        assertEquals(x[i], y[i], bound, type + ", row " + row + ", element " + i);
      }
    }
  }

  private static float[] constant(float value) {
    float[] x = new float[256];
    Arrays.fill(x, value);
    return x;
  }

  private static float[] spike(float value) {
    float[] x = constant(0.01f);
    x[77] = value;
    return x;
  }

  private static float[] ramp(float step) {
    float[] x = new float[256];
    for (int i = 0; i < x.length; i++) {
      x[i] = step * (i - 100);
    }
    return x;
  }

  /** What is stored exactly is found again, so that quantising twice changes little. */
  @ParameterizedTest
  @CsvSource({"Q8_0", "Q4_0", "Q5_0"})
  void storedNumbersAreFoundAgain(DType type) {
    float[] once = decode(type, encode(type, numbers()));
    float[] twice = decode(type, encode(type, once));
    assertTrue(error(once, twice) < 1e-3, type + ": " + error(once, twice));
  }

  @Test
  void halvesAreRoundedToNearestEven() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      float value = Formats.fromHalf(bits);
      assertEquals(value, Half.toFloat((short) bits), "" + bits);
      if (!Float.isNaN(value)) {
        assertEquals((short) bits, Half.fromFloat(value));
      }
    }
    Random random = new Random(5);
    for (int i = 0; i < 1_000_000; i++) {
      float value = Float.intBitsToFloat(random.nextInt());
      if (!Float.isNaN(value)) {
        assertEquals((short) Formats.toHalf(value), Half.fromFloat(value), "" + value);
      }
    }
    assertEquals((short) 0x3f80, Half.toBf16(1 + 0x1p-8f), "a tie goes to the even number");
    assertEquals((short) 0x3f82, Half.toBf16(1 + 3 * 0x1p-8f), "a tie goes to the even number");
    assertEquals((short) 0x3f81, Half.toBf16(1 + 0x1p-8f + 0x1p-20f));
  }

  private static byte[] encode(DType type, float[] x) {
    byte[] stored = new byte[(int) type.bytes(x.length)];
    Format.of(type).encode(x, 0, x.length, stored, 0);
    return stored;
  }

  private static float[] decode(DType type, byte[] stored) {
    float[] x = new float[stored.length / type.blockBytes() * type.blockElements()];
    Format.of(type).decode(stored, 0, x.length, x, 0);
    return x;
  }

  private static double error(float[] x, float[] y) {
    double difference = 0;
    double magnitude = 0;
    for (int i = 0; i < x.length; i++) {
      difference += (x[i] - y[i]) * (x[i] - y[i]);
      magnitude += x[i] * x[i];
    }
    return Math.sqrt(difference / magnitude);
  }
}
