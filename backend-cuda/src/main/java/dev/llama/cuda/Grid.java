package dev.llama.cuda;

/**
 * How many blocks of how many threads a launch has.
 *
 * @param x blocks
 * @param y blocks in the second dimension
 * @param z blocks in the third dimension
 * @param threads of a block
 * @param sharedBytes dynamic shared memory of a block
 */
record Grid(long x, long y, long z, int threads, int sharedBytes) {
  /** Threads of a block where the kernel leaves the choice. */
  static final int THREADS = 256;

  /** Blocks for each multiprocessor that keep it busy. */
  private static final int BLOCKS_PER_MULTIPROCESSOR = 8;

  /** Most parts of a row of {@link #parts}. */
  static final int ROW_PARTS = 64;

  private static final int PART_WIDTH = 2048;
  private static final int MAX_THREADS = 1024;
  private static final int WIDE_ROW = 2048;
  private static final int MAX_Y = 65535;

  /** Blocks in a line. */
  static Grid line(long x, int threads) {
    return new Grid(x, 1, 1, threads, 0);
  }

  /** Blocks in a line, of the usual size. */
  static Grid line(long x) {
    return line(x, THREADS);
  }

  /** A block for each row; a large one where few rows would leave the device idle. */
  static Grid rows(Gpu gpu, long rows, long width) {
    boolean few = rows < gpu.device().multiprocessors() && width >= WIDE_ROW;
    return line(rows, few ? MAX_THREADS : THREADS);
  }

  /**
   * Blocks for parts of each row, the rows in the second dimension: one could not read a long row
   * fast.
   */
  static Grid parts(CudaTensor x) {
    return plane(Math.max(1, Math.min(x.width() / PART_WIDTH, ROW_PARTS)), x.rows(), THREADS);
  }

  /** Blocks in a plane. */
  static Grid plane(long x, long y, int threads) {
    return new Grid(x, y, 1, threads, 0);
  }

  /** For a kernel whose threads go over a number of elements in strides. */
  static Grid strides(Gpu gpu, long elements) {
    long most = (long) BLOCKS_PER_MULTIPROCESSOR * gpu.device().multiprocessors();
    return line(Math.max(1, Math.min(ceil(elements, THREADS), most)));
  }

  /** Parts of a size that hold a number of things. */
  static long ceil(long count, long size) {
    return (count + size - 1) / size;
  }

  /** Whether a device takes it. */
  boolean isPossible() {
    return x >= 1 && x <= Integer.MAX_VALUE && y >= 1 && y <= MAX_Y && z >= 1 && z <= MAX_Y;
  }

  @Override
  public String toString() {
    return String.format(
        "grid (%d, %d, %d), %d threads, %d bytes of shared memory", x, y, z, threads, sharedBytes);
  }
}
