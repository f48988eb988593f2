package dev.llama.cpu;

import dev.llama.DType;
import java.nio.ByteBuffer;

/**
 * The kernels in C, see {@code src/main/native}. {@link NativeLibrary} must have been loaded before
 * any of them is called. Arguments are addresses and numbers of elements; nothing is checked.
 */
final class NativeKernels {
  private NativeKernels() {}

  /** Returns what the CPU and the operating system let run; bits as in {@code features.h}. */
  static native long features();

  /**
   * Chooses the instruction set of all calls that follow, in all threads.
   *
   * @param level index in the list of the architecture in {@code jni.c}
   */
  static native void use(int level);

  /** Returns where a direct buffer begins. */
  static native long address(ByteBuffer buffer);

  /** Returns the number that the kernels have for a format that they read. */
  static int format(DType type) {
    return type.isQuantized() ? 3 + type.ordinal() - DType.Q8_0.ordinal() : type.ordinal();
  }

  /**
   * Computes {@code out[r][o] (=|+=) x[r] · weight[o]}.
   *
   * @param format of the weights: F32, F16 or BF16
   * @param out F32 [rows, outputs]
   * @param outStride distance of its rows, in elements
   * @param x F32 [rows, inputs]
   * @param xStride distance of its rows, in elements
   * @param rows at least 1
   * @param weight [outputs, inputs]
   * @param inputs at least 1
   * @param outputs at least 1
   * @param add 1 to add to what is there, else 0
   */
  static native void product(
      int format,
      long out,
      long outStride,
      long x,
      long xStride,
      long rows,
      long weight,
      long inputs,
      long outputs,
      long add);

  /**
   * Rounds activations to int8 in groups of 32.
   *
   * @param out {@code rows * quantizedBytes(inputs)} bytes
   * @param x F32 [rows, inputs]
   * @param xStride distance of its rows, in elements
   * @param rows at least 1
   * @param inputs a multiple of 32
   */
  static native void quantize(long out, long x, long xStride, long rows, long inputs);

  /** Returns the size of a row of rounded activations: chunks of 256 with 8 scales and 8 sums. */
  static int quantizedBytes(long inputs) {
    return Math.toIntExact((inputs + 255) / 256 * (256 + 2 * 8 * Float.BYTES));
  }

  /**
   * Computes {@code out[r][o] (=|+=) x[r] · weight[o]}.
   *
   * @param format of the weights: a quantised one
   * @param out F32 [rows, outputs]
   * @param outStride distance of its rows, in elements
   * @param x rows as {@link #quantize} leaves them
   * @param rows at least 1
   * @param weight [outputs, inputs]
   * @param inputs a multiple of the format's block
   * @param outputs at least 1
   * @param add 1 to add to what is there, else 0
   */
  static native void productQuantized(
      int format,
      long out,
      long outStride,
      long x,
      long rows,
      long weight,
      long inputs,
      long outputs,
      long add);

  /**
   * Attends for one row and the query heads that share a key head.
   *
   * @param format of keys and values: F32 or F16
   * @param out F32 [heads, size]
   * @param q F32 [heads, size]
   * @param heads at least 1
   * @param size of a head
   * @param blocks for each block of positions: address of the keys, of the values, number
   * @param skip positions at the start that are not seen
   * @param count positions that are, at least 1
   * @param headOffset where the key head begins in a block, in elements
   * @param stride from position to position, in elements
   * @param scale factor of the scores
   */
  static native void attention(
      int format,
      long out,
      long q,
      long heads,
      long size,
      long blocks,
      long skip,
      long count,
      long headOffset,
      long stride,
      float scale);
}
