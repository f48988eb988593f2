package dev.llama.naive;

import dev.llama.DType;
import java.nio.ByteBuffer;

/** Stored number formats, read one element at a time. Layouts as in ggml-common.h. */
public final class Formats {
  private Formats() {}

  /** Returns whether {@link #decode} reads a type. */
  public static boolean readable(DType type) {
    return type == DType.F32 || type == DType.F16 || type == DType.BF16 || type.isQuantized();
  }

  /** Decodes consecutive whole blocks. */
  public static double[] decode(DType type, ByteBuffer bytes) {
    int blocks = bytes.remaining() / type.blockBytes();
    int size = type.blockElements();
    double[] values = new double[blocks * size];
    for (int i = 0; i < values.length; i++) {
      values[i] = element(type, bytes, bytes.position() + i / size * type.blockBytes(), i % size);
    }
    return values;
  }

  private static double element(DType type, ByteBuffer b, int at, int i) {
    switch (type) {
      case F32:
        return Float.intBitsToFloat(word(b, at));
      case F16:
        return half(b, at);
      case BF16:
        return Float.intBitsToFloat(u16(b, at) << 16);
      case Q8_0:
        return half(b, at) * b.get(at + 2 + i);
      case Q4_0:
        return half(b, at) * (nibble(b, at + 2, i) - 8);
      case Q4_1:
        return half(b, at) * nibble(b, at + 4, i) + half(b, at + 2);
      case Q5_0:
        return half(b, at) * (nibble(b, at + 6, i) + 16 * bit(word(b, at + 2), i) - 16);
      case Q5_1:
        return half(b, at) * (nibble(b, at + 8, i) + 16 * bit(word(b, at + 4), i))
            + half(b, at + 2);
      case Q2_K:
        return q2k(b, at, i);
      case Q3_K:
        return q3k(b, at, i);
      case Q4_K:
        return scaleAndMinimum(b, at, i / 32, nibbleOf64(b, at + 16, i));
      case Q5_K:
        return scaleAndMinimum(
            b, at, i / 32, nibbleOf64(b, at + 48, i) + 16 * bit(b.get(at + 16 + i % 32), i / 32));
      case Q6_K:
        return q6k(b, at, i);
      default:
        throw new IllegalArgumentException("no arithmetic with " + type);
    }
  }

  /** scales[16], qs[64], d, dmin: 2-bit fields, four elements 32 apart in a byte. */
  private static double q2k(ByteBuffer b, int at, int i) {
    int scale = u8(b, at + i / 16);
    int q = twoBits(b, at + 16, i);
    return half(b, at + 80) * (scale & 15) * q - half(b, at + 82) * (scale >> 4);
  }

  /** hmask[32], qs[64], scales[12] of 6 bits, d: the third bit is inverted and worth -4. */
  private static double q3k(ByteBuffer b, int at, int i) {
    int group = i / 16;
    int low = u8(b, at + 96 + group % 8) >> (group / 8 * 4) & 15;
    int high = u8(b, at + 104 + group % 4) >> (group / 4 * 2) & 3;
    int scale = (low | high << 4) - 32;
    int q = twoBits(b, at + 32, i) - 4 * (1 - bit(b.get(at + i % 32), i / 32));
    return half(b, at + 108) * scale * q;
  }

  /** ql[128], qh[64], signed scales[16], d. */
  private static double q6k(ByteBuffer b, int at, int i) {
    int half = i / 128;
    int quarter = i % 128 / 32;
    int low = u8(b, at + half * 64 + quarter % 2 * 32 + i % 32) >> (quarter / 2 * 4) & 15;
    int high = u8(b, at + 128 + half * 32 + i % 32) >> (quarter * 2) & 3;
    return half(b, at + 208) * b.get(at + 192 + i / 16) * ((low | high << 4) - 32);
  }

  /** d, dmin, scales[12]: eight 6-bit scales and minima, the upper four in the top bits. */
  private static double scaleAndMinimum(ByteBuffer b, int at, int group, int q) {
    int scales = at + 4;
    int scale;
    int minimum;
    if (group < 4) {
      scale = u8(b, scales + group) & 63;
      minimum = u8(b, scales + group + 4) & 63;
    } else {
      scale = u8(b, scales + group + 4) & 15 | u8(b, scales + group - 4) >> 6 << 4;
      minimum = u8(b, scales + group + 4) >> 4 | u8(b, scales + group) >> 6 << 4;
    }
    return half(b, at) * scale * q - half(b, at + 2) * minimum;
  }

  /** Elements i and i + 16 of 32 share a byte. */
  private static int nibble(ByteBuffer b, int at, int i) {
    return u8(b, at + i % 16) >> (i / 16 * 4) & 15;
  }

  /** Elements i and i + 32 of 64 share a byte. */
  private static int nibbleOf64(ByteBuffer b, int at, int i) {
    return u8(b, at + i / 64 * 32 + i % 32) >> (i / 32 % 2 * 4) & 15;
  }

  /** Elements i, i + 32, i + 64 and i + 96 of 128 share a byte. */
  private static int twoBits(ByteBuffer b, int at, int i) {
    return u8(b, at + i / 128 * 32 + i % 32) >> (i % 128 / 32 * 2) & 3;
  }

  private static int bit(int bits, int i) {
    return bits >> i & 1;
  }

  private static int u8(ByteBuffer b, int at) {
    return b.get(at) & 0xff;
  }

  private static int u16(ByteBuffer b, int at) {
    return u8(b, at) | u8(b, at + 1) << 8;
  }

  private static int word(ByteBuffer b, int at) {
    return u16(b, at) | u16(b, at + 2) << 16;
  }

  private static double half(ByteBuffer b, int at) {
    return fromHalf(u16(b, at));
  }

  /** Value of an IEEE binary16. */
  public static float fromHalf(int bits) {
    int exponent = bits >> 10 & 31;
    int fraction = bits & 0x3ff;
    float magnitude;
    if (exponent == 31) {
      magnitude = fraction == 0 ? Float.POSITIVE_INFINITY : Float.NaN;
    } else if (exponent == 0) {
      magnitude = Math.scalb((float) fraction, -24);
    } else {
      magnitude = Math.scalb((float) (fraction | 0x400), exponent - 25);
    }
    return (bits & 0x8000) == 0 ? magnitude : -magnitude;
  }

  /** Nearest IEEE binary16, ties to even. */
  public static int toHalf(float value) {
    int sign = Float.floatToRawIntBits(value) >>> 16 & 0x8000;
    float magnitude = Math.abs(value);
    if (Float.isNaN(value)) {
      return sign | 0x7e00;
    }
    if (magnitude >= 65520) {
      return sign | 0x7c00;
    }
    int exponent = Math.max(Math.getExponent(magnitude), -14);
    int units = (int) Math.rint(Math.scalb((double) magnitude, 10 - exponent));
    // A carry out of the fraction moves into the exponent, which is just right.
    return sign | (exponent + 14 << 10) + units;
  }
}
