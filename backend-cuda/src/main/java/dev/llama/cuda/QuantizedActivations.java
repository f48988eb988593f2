package dev.llama.cuda;

/**
 * Activations in 8 bits, as products of few rows with quantised weights take them. Kernels that
 * make activations leave that form in the work space as well, which saves the next product a
 * launch. It counts for the very next operation only: whatever else is done may write to the
 * tensor, or use the work space. For who has entered the {@link Gpu}.
 */
final class QuantizedActivations {
  /** Rows of which products make use of it; more go to the matrix units, in 16 bits. */
  static final int MAX_ROWS = 4;

  private static final int BLOCK = 32;

  private final Gpu gpu;
  private volatile boolean wanted;
  private CudaTensor tensor;
  private long address;
  private long moment;

  QuantizedActivations(Gpu gpu) {
    this.gpu = gpu;
  }

  /** Says that there are quantised weights. */
  void want() {
    wanted = true;
  }

  /** Returns the bytes that a tensor's 8-bit form takes. */
  static long bytes(CudaTensor x) {
    return x.elements() / 4 * 5;
  }

  /** Whether the next operation may well ask for a tensor's 8-bit form. */
  boolean isWanted(CudaTensor x) {
    return wanted && x.rows() <= MAX_ROWS && x.width() % BLOCK == 0;
  }

  /** Says where a kernel enqueued by this operation leaves a tensor's 8-bit form. */
  void left(CudaTensor x, long where) {
    tensor = x;
    address = where;
    moment = gpu.entries();
  }

  /** Returns where the operation before left a tensor's 8-bit form; 0 if it did not. */
  long find(CudaTensor x) {
    boolean same =
        tensor != null
            && gpu.entries() == moment + 1
            && tensor.address() == x.address()
            && tensor.rows() == x.rows()
            && tensor.width() == x.width();
    return same ? address : 0;
  }
}
