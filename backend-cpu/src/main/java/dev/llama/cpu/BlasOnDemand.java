package dev.llama.cpu;

import dev.llama.BackendException;
import org.slf4j.LoggerFactory;

/**
 * Products by OpenBLAS, which is loaded when the first of them is asked for: most models never need
 * it beside the kernels in C, and loading it takes longer than loading a model. Thread-safe.
 */
final class BlasOnDemand {
  private final WorkerPool pool;
  private boolean asked;
  private MatrixProduct product;

  /**
   * Loads nothing yet.
   *
   * @param pool threads
   */
  BlasOnDemand(WorkerPool pool) {
    this.pool = pool;
  }

  /** Returns what multiplies; null if OpenBLAS cannot be loaded, which is logged once. */
  synchronized MatrixProduct productOrNull() {
    if (!asked) {
      asked = true;
      try {
        OpenBlas blas = OpenBlasLoader.load();
        product = new BlasMatrixProduct(pool, blas, new JavaMatrixProduct(pool));
      } catch (BackendException e) {
        LoggerFactory.getLogger(BlasOnDemand.class)
            .warn("prefill is slower without OpenBLAS: {}", e.getMessage());
      }
    }
    return product;
  }
}
