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

  /**
   * Takes memory, all zeros, from the operating system, in large pages where it has them.
   *
   * @param bytes how many
   * @return where it begins, or 0 if there is none to be had
   */
  static native long map(long bytes);

  /**
   * Gives memory of {@link #map} back, all of it.
   *
   * @param start address of the first byte
   * @param bytes how many
   */
  static native void unmap(long start, long bytes);

  /**
   * Makes a direct buffer of memory, which stays the caller's.
   *
   * @param start address of the first byte
   * @param bytes at most 2^31 - 1
   */
  static native ByteBuffer buffer(long start, long bytes);

  /**
   * Asks the operating system for large pages where a file is mapped; see {@code pages.h}.
   *
   * @param start address of the first byte
   * @param bytes how many
   */
  static native void preferLargePages(long start, long bytes);

  /**
   * Has the operating system enter the pages of a mapped file into the table of this process.
   *
   * @param start address of the first byte
   * @param bytes how many
   * @return 0, or what else it answers where it cannot
   */
  static native long populate(long start, long bytes);

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

  /** Returns the size of a row of rounded activations: see {@code rounded.h}. */
  static int quantizedBytes(long inputs) {
    return Math.toIntExact((inputs + 255) / 256 * (2 * 256 + 48 * Float.BYTES));
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

  /** Bytes that {@link #productMany} needs for the weights that it unpacks, 64-byte aligned. */
  static final int SCRATCH_BYTES = 1 << 20;

  /** Rows that {@link #pack} may be given at a time, but for the last: a multiple of this. */
  static final int PACKED_ROWS = 32;

  private static final int PACKED_BYTES = 6; // three numbers of BF16, see amx.c

  /** Returns an upper bound of the size of {@code rows} rows that {@link #pack} has prepared. */
  static int packedBytes(long rows, long inputs) {
    long padded = (rows + PACKED_ROWS - 1) / PACKED_ROWS * PACKED_ROWS;
    return Math.toIntExact(padded * ((inputs + 255) / 256 * 256) * PACKED_BYTES);
  }

  /**
   * Prepares rows of activations for {@link #productMany}. How depends on the instruction set.
   *
   * @param format of the weights: any but F32
   * @param out {@link #packedBytes} bytes for all rows, 64-byte aligned
   * @param first index of the first of these rows, a multiple of {@link #PACKED_ROWS}
   * @param x F32 [rows, inputs], these rows
   * @param xStride distance of its rows, in elements
   * @param rows number of these rows
   * @param inputs at least 1
   */
  static native void pack(
      int format, long out, long first, long x, long xStride, long rows, long inputs);

  /**
   * Computes {@code out[r][o] (=|+=) x[r] · weight[o]} by unpacking the weights once for all rows.
   *
   * @param format of the weights: any but F32
   * @param out F32 [rows, outputs]
   * @param outStride distance of its rows, in elements
   * @param x rows as {@link #pack} leaves them
   * @param rows at least 1
   * @param weight [outputs, inputs]
   * @param inputs a multiple of the format's block
   * @param outputs at least 1
   * @param add 1 to add to what is there, else 0
   * @param scratch {@link #SCRATCH_BYTES} bytes, 64-byte aligned
   */
  static native void productMany(
      int format,
      long out,
      long outStride,
      long x,
      long rows,
      long weight,
      long inputs,
      long outputs,
      long add,
      long scratch);

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
