package dev.llama.spi.conformance;

import dev.llama.DType;
import dev.llama.naive.Formats;
import dev.llama.spi.TensorData;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Random;

/**
 * A random matrix as a model's file stores it.
 *
 * @param data stored bytes
 * @param values what they stand for, [outputs, inputs]
 * @param inputs width
 */
public record StoredWeight(TensorData data, double[] values, int inputs) {

  /** Random bits in every field; scales of either sign, about 0.01. */
  public static StoredWeight random(Random random, DType type, int outputs, int inputs) {
    byte[] bytes = new byte[Math.toIntExact(outputs * type.bytes(inputs))];
    ByteBuffer buffer = direct(bytes.length);
    if (type.isQuantized()) {
      random.nextBytes(bytes);
      buffer.put(bytes).clear();
      for (int block = 0; block < bytes.length; block += type.blockBytes()) {
        for (int scale : scales(type)) {
          double value = (0.5 + random.nextDouble()) * (random.nextBoolean() ? 0.01 : -0.01);
          buffer.putShort(block + scale, (short) Formats.toHalf((float) value));
        }
      }
    } else {
      for (int i = 0; i < outputs * inputs; i++) {
        put(buffer, type, (float) random.nextGaussian());
      }
      buffer.clear();
    }
    return of(type, buffer, outputs, inputs);
  }

  /** The matrix that given bytes stand for. */
  static StoredWeight of(DType type, ByteBuffer bytes, int outputs, int inputs) {
    return new StoredWeight(
        new HeapTensorData("weight " + type, type, bytes, outputs, inputs),
        Formats.decode(type, bytes),
        inputs);
  }

  /** A direct, little-endian buffer. */
  static ByteBuffer direct(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static void put(ByteBuffer buffer, DType type, float value) {
    switch (type) {
      case F32:
        buffer.putFloat(value);
        break;
      case F16:
        buffer.putShort((short) Formats.toHalf(value));
        break;
      case BF16:
        buffer.putShort((short) (Float.floatToIntBits(value) >> 16));
        break;
      default:
        throw new IllegalArgumentException("no arithmetic with " + type);
    }
  }

  /** Offsets of the F16 scales and minima in a block. */
  private static int[] scales(DType type) {
    switch (type) {
      case Q8_0:
      case Q4_0:
      case Q5_0:
        return new int[] {0};
      case Q4_1:
      case Q5_1:
      case Q4_K:
      case Q5_K:
        return new int[] {0, 2};
      case Q2_K:
        return new int[] {80, 82};
      case Q3_K:
        return new int[] {108};
      case Q6_K:
        return new int[] {208};
      default:
        throw new IllegalArgumentException("unknown layout of " + type);
    }
  }
}
