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
   * Attends with the query heads of some key heads, see {@code attention.c}.
   *
   * @param description {@code struct attention}
   * @param keyHead the first
   * @param heads how many key heads
   * @param firstRow first row of the run that attends
   * @param rows how many
   * @param from first position that is seen
   * @param to behind the last one
   * @param work work space
   * @param part where results that are not divided yet go, of one row; or 0
   * @param states where the largest scores and the sums go; or 0
   */
  static native void attention(
      long description,
      long keyHead,
      long heads,
      long firstRow,
      long rows,
      long from,
      long to,
      long work,
      long part,
      long states);

  /**
   * Puts the parts of one row and key head together.
   *
   * @param description {@code struct attention}
   * @param keyHead which
   * @param row which
   * @param parts as {@link #attention} leaves them, the first one of this key head
   * @param step from part to part, in floats
   * @param count how many
   */
  static native void attentionMerge(
      long description, long keyHead, long row, long parts, long step, long count);

  /**
   * Puts keys and values into a cache.
   *
   * @param description {@code struct attention}
   * @param k F32 [rows, heads * size], of the first row
   * @param kStride distance of its rows, in elements
   * @param v as k
   * @param vStride distance of its rows, in elements
   * @param heads key heads
   * @param firstRow first row of the run
   * @param rows how many
   */
  static native void append(
      long description,
      long k,
      long kStride,
      long v,
      long vStride,
      long heads,
      long firstRow,
      long rows);

  /**
   * Root-mean-square norm of rows without gaps.
   *
   * @param out F32 [rows, width]
   * @param rstd F32 [rows], or 0
   * @param x F32 [rows, width]; may be {@code out}
   * @param weight F32 [width]
   * @param rows at least 1
   * @param width at least 1
   * @param eps added to the mean square
   */
  static native void rmsNorm(
      long out, long rstd, long x, long weight, long rows, long width, float eps);

  /**
   * Rotates rows in place.
   *
   * @param q F32 [rows, qWidth]
   * @param qWidth a multiple of {@code 2 * pairs}
   * @param k F32 [rows, kWidth]
   * @param kWidth a multiple of {@code 2 * pairs}
   * @param positions I32 [rows]
   * @param rows at least 1
   * @param frequencies F32 [pairs]
   * @param pairs half of a head
   * @param magnitude factor
   * @param halves 1 if element i makes a pair with i + pairs, 0 if with its neighbour
   * @param direction 1, or -1 to turn back
   */
  static native void rope(
      long q,
      long qWidth,
      long k,
      long kWidth,
      long positions,
      long rows,
      long frequencies,
      long pairs,
      float magnitude,
      long halves,
      float direction);

  /** {@code out = silu(gate) * up}, F32 [count]; out may be one of the others. */
  static native void swiGlu(long out, long gate, long up, long count);

  /** {@code x += y}, F32 [count]. */
  static native void add(long x, long y, long count);

  /** Puts the index of the first of the largest elements of x, F32 [count], into out, I32. */
  static native void argmax(long out, long x, long count);

  /**
   * Decodes a row.
   *
   * @param format F32, F16 or BF16
   * @param out F32 [count]
   * @param row as stored
   * @param count at least 1
   */
  static native void embed(int format, long out, long row, long count);

  /** Reads memory, a multiple of 256 bytes; puts something that depends on all of it into out. */
  static native void read(long out, long from, long bytes);
}
