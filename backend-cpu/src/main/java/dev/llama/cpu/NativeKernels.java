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

  /** Bytes of work space for each row or column that {@link #gradProduct} has at a time. */
  static final int PRODUCT_SCRATCH = 384 * 6;

  /** Rows and columns more than there are, in the work space of products. */
  static final int PRODUCT_SPARE = 96;

  /** Columns in a panel of {@link #gradPack}. */
  static final int PANEL = 32;

  /** Returns the size of a panel of {@link #gradPack}. */
  static long panelBytes(long depth) {
    return (depth + PANEL - 1) / PANEL * PANEL * PANEL * 6;
  }

  /**
   * Copies a matrix to panels, for {@link #gradProduct}.
   *
   * @param to {@link #panelBytes} for each 32 columns, rounded up
   * @param b F32 [depth, columns]
   * @param row distance of its rows, in elements
   * @param column distance of its columns, in elements; one of both is 1
   * @param depth at least 1
   * @param columns at least 1
   */
  static native void gradPack(long to, long b, long row, long column, long depth, long columns);

  /**
   * Computes {@code c (=|+=) a · b}.
   *
   * @param c F32 [rows, columns]
   * @param cRow distance of its rows, in elements
   * @param a F32 [rows, depth]
   * @param aRow distance of its rows, in elements
   * @param aColumn distance of its columns, in elements; one of both is 1
   * @param b [depth, columns], as {@link #gradPack} leaves it
   * @param rows at least 1
   * @param depth at least 1
   * @param columns at least 1
   * @param add 1 to add to what is there, else 0
   * @param scratch {@link #PRODUCT_SCRATCH} bytes for each row and {@link #PRODUCT_SPARE} more
   */
  static native void gradProduct(
      long c,
      long cRow,
      long a,
      long aRow,
      long aColumn,
      long b,
      long rows,
      long depth,
      long columns,
      long add,
      long scratch);

  /**
   * Computes {@code c += aᵀ · b} of a great depth.
   *
   * @param c F32 [rows, columns]
   * @param cRow distance of its rows, in elements
   * @param a F32 [depth, rows]
   * @param aRow distance of its rows, in elements
   * @param b F32 [depth, columns]
   * @param bRow distance of its rows, in elements
   * @param rows at least 1
   * @param depth at least 1
   * @param columns at least 1
   * @param scratch {@link #PRODUCT_SCRATCH} bytes for each row, each column and {@link
   *     #PRODUCT_SPARE} more
   */
  static native void gradProductDeep(
      long c,
      long cRow,
      long a,
      long aRow,
      long b,
      long bRow,
      long rows,
      long depth,
      long columns,
      long scratch);

  /** Queries that {@link #sequenceAttention} does in a block, at least. */
  static final int QUERY_BLOCK = 120;

  /**
   * Attends within a sequence that is rows of a batch.
   *
   * @param sequence as {@link SequenceTable} writes it
   * @param head of those that share the keys
   * @param block of queries, from 0; there may be fewer than {@link #QUERY_BLOCK} makes one think
   * @param scratch {@link SequenceTable#scratchBytes}
   */
  static native void sequenceAttention(long sequence, long head, long block, long scratch);

  /**
   * Gradient of {@link #sequenceAttention}.
   *
   * @param sequence as {@link SequenceTable} writes it; sets its dq, and dk and dv of the share
   * @param share which blocks of keys, from 0
   * @param shares among how many they are dealt out
   * @param scratch {@link SequenceTable#scratchBytes}
   */
  static native void sequenceGradient(long sequence, long share, long shares, long scratch);

  /**
   * Gradient of the root-mean-square norm.
   *
   * @param dX F32 [rows, width]
   * @param weightSum F32 [width], set
   * @param dOut F32 [rows, width]
   * @param x F32 [rows, width]
   * @param weight F32 [width]
   * @param rstd F32 [rows]
   * @param rows at least 1
   * @param width at least 1
   */
  static native void rmsNormGradient(
      long dX, long weightSum, long dOut, long x, long weight, long rstd, long rows, long width);

  /** Gradient of the gated activation, of {@code count} elements. */
  static native void swiGluGradient(
      long dGate, long dUp, long dOut, long gate, long up, long count);

  /**
   * Softmax cross-entropy and its gradient.
   *
   * @param loss F32 [rows]
   * @param dLogits F32 [rows, width]; 0 for the loss alone
   * @param logits F32 [rows, width]
   * @param targets I32 [rows]
   * @param scale of the gradient
   * @param rows at least 1
   * @param width at least 1
   */
  static native void crossEntropy(
      long loss, long dLogits, long logits, long targets, float scale, long rows, long width);

  /**
   * Sums squares.
   *
   * @param sum a double, set
   * @param x F32
   * @param count at least 1
   */
  static native void sumOfSquares(long sum, long x, long count);

  /**
   * One step of AdamW.
   *
   * @param weight F32
   * @param m F32
   * @param v F32
   * @param gradient F32
   * @param numbers F32 [9]: beta1, 1 - beta1, beta2, 1 - beta2, eps, 1 - lr * decay, lr / (1 -
   *     beta1^t), 1 / (1 - beta2^t), clip
   * @param count at least 1
   */
  static native void adamW(long weight, long m, long v, long gradient, long numbers, long count);
}
