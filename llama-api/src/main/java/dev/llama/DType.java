package dev.llama;

/**
 * How the elements of a tensor are stored. Plain types have a block of one element; quantised types
 * store blocks of 32 or 256 consecutive elements of a row together with their scales, in the layout
 * of ggml ({@code ggml-common.h}). Everything is little-endian.
 */
public enum DType {
  /** IEEE 754 binary32. */
  F32(1, 4),
  /** IEEE 754 binary16. */
  F16(1, 2),
  /** The upper half of a binary32. */
  BF16(1, 2),
  /** IEEE 754 binary64; can be read from files, not computed with. */
  F64(1, 8),
  /** Signed 32-bit integer: tokens, positions, row numbers. */
  I32(1, 4),
  /** Signed 64-bit integer; can be read from files, not computed with. */
  I64(1, 8),
  /** Signed 16-bit integer; can be read from files, not computed with. */
  I16(1, 2),
  /** Signed 8-bit integer; can be read from files, not computed with. */
  I8(1, 1),
  /** Unsigned 64-bit integer; can be read from files, not computed with. */
  U64(1, 8),
  /** Unsigned 32-bit integer; can be read from files, not computed with. */
  U32(1, 4),
  /** Unsigned 16-bit integer; can be read from files, not computed with. */
  U16(1, 2),
  /** Unsigned 8-bit integer; can be read from files, not computed with. */
  U8(1, 1),
  /** One byte, 0 or 1; can be read from files, not computed with. */
  BOOL(1, 1),
  /** 8-bit float, 4 exponent bits; can be read from files, not computed with. */
  F8_E4M3(1, 1),
  /** 8-bit float, 5 exponent bits; can be read from files, not computed with. */
  F8_E5M2(1, 1),
  /** 8 bits, one F16 scale for 32 elements. */
  Q8_0(32, 34),
  /** 4 bits, one F16 scale for 32 elements. */
  Q4_0(32, 18),
  /** 4 bits, F16 scale and minimum for 32 elements. */
  Q4_1(32, 20),
  /** 5 bits, one F16 scale for 32 elements. */
  Q5_0(32, 22),
  /** 5 bits, F16 scale and minimum for 32 elements. */
  Q5_1(32, 24),
  /** 2 bits, two-level scales and minima over 256 elements. */
  Q2_K(256, 84),
  /** 3 bits, two-level scales over 256 elements. */
  Q3_K(256, 110),
  /** 4 bits, two-level scales and minima over 256 elements. */
  Q4_K(256, 144),
  /** 5 bits, two-level scales and minima over 256 elements. */
  Q5_K(256, 176),
  /** 6 bits, two-level scales over 256 elements. */
  Q6_K(256, 210);

  private final int blockElements;
  private final int blockBytes;

  DType(int blockElements, int blockBytes) {
    this.blockElements = blockElements;
    this.blockBytes = blockBytes;
  }

  /**
   * Returns how many consecutive elements of a row are stored together.
   *
   * @return 1 for plain types
   */
  public int blockElements() {
    return blockElements;
  }

  /**
   * Returns the size of one block.
   *
   * @return bytes
   */
  public int blockBytes() {
    return blockBytes;
  }

  /**
   * Returns whether elements share scales in blocks.
   *
   * @return true for the Q types
   */
  public boolean isQuantized() {
    return blockElements > 1;
  }

  /**
   * Returns the stored size of a number of elements.
   *
   * @param elements at least 0, a multiple of {@link #blockElements()}
   * @return bytes
   * @throws InvalidInputException if {@code elements} is negative or no multiple, or the size does
   *     not fit 64 bits
   */
  public long bytes(long elements) {
    if (elements < 0 || elements % blockElements != 0) {
      throw new InvalidInputException(
          this + " stores multiples of " + blockElements + " elements, not " + elements);
    }
    try {
      return Math.multiplyExact(elements / blockElements, (long) blockBytes);
    } catch (ArithmeticException e) {
      throw new InvalidInputException(elements + " elements of " + this + " exceed 64 bits");
    }
  }
}
