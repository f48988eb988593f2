package dev.llama.cpu;

/**
 * The kernels in C, see {@code src/main/native}. Bound by {@link NativeLibrary}, which must have
 * been loaded before any of them is called. Arguments are addresses and numbers of elements;
 * nothing is checked.
 */
final class NativeKernels {
  private NativeKernels() {}

  /** Returns what the CPU and the operating system let run; bits as in {@code features.c}. */
  static native long cpuFeatures();

  /**
   * Computes {@code out[r][o] (=|+=) x[r] · weight[o]}.
   *
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
  static native void productF32(
      long out,
      long outStride,
      long x,
      long xStride,
      long rows,
      long weight,
      long inputs,
      long outputs,
      long add);

  /** As {@link #productF32}. */
  static native void productF16(
      long out,
      long outStride,
      long x,
      long xStride,
      long rows,
      long weight,
      long inputs,
      long outputs,
      long add);

  /** As {@link #productF32}. */
  static native void productBf16(
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
   * @param out F32 [rows, outputs]
   * @param outStride distance of its rows, in elements
   * @param x rows as {@link #quantize} leaves them
   * @param rows at least 1
   * @param weight [outputs, inputs]
   * @param inputs a multiple of the format's block
   * @param outputs at least 1
   * @param add 1 to add to what is there, else 0
   */
  static native void productQ80(
      long out,
      long outStride,
      long x,
      long rows,
      long weight,
      long inputs,
      long outputs,
      long add);

  /** As {@link #productQ80}. */
  static native void productQ40(
      long out,
      long outStride,
      long x,
      long rows,
      long weight,
      long inputs,
      long outputs,
      long add);

  /** As {@link #productQ80}. */
  static native void productQ41(
      long out,
      long outStride,
      long x,
      long rows,
      long weight,
      long inputs,
      long outputs,
      long add);

  /** As {@link #productQ80}. */
  static native void productQ50(
      long out,
      long outStride,
      long x,
      long rows,
      long weight,
      long inputs,
      long outputs,
      long add);

  /** As {@link #productQ80}. */
  static native void productQ51(
      long out,
      long outStride,
      long x,
      long rows,
      long weight,
      long inputs,
      long outputs,
      long add);

  /** As {@link #productQ80}. */
  static native void productQ2K(
      long out,
      long outStride,
      long x,
      long rows,
      long weight,
      long inputs,
      long outputs,
      long add);

  /** As {@link #productQ80}. */
  static native void productQ3K(
      long out,
      long outStride,
      long x,
      long rows,
      long weight,
      long inputs,
      long outputs,
      long add);

  /** As {@link #productQ80}. */
  static native void productQ4K(
      long out,
      long outStride,
      long x,
      long rows,
      long weight,
      long inputs,
      long outputs,
      long add);

  /** As {@link #productQ80}. */
  static native void productQ5K(
      long out,
      long outStride,
      long x,
      long rows,
      long weight,
      long inputs,
      long outputs,
      long add);

  /** As {@link #productQ80}. */
  static native void productQ6K(
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
  static native void attentionF32(
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

  /** As {@link #attentionF32}. */
  static native void attentionF16(
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
