package dev.llama.cpu;

import dev.llama.BackendException;
import dev.llama.spi.Availability;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.BackendProvider;
import java.util.Optional;

/**
 * Runs on any CPU. Variants: {@code openblas}, large products by OpenBLAS; {@code reference}, plain
 * Java alone.
 */
public final class CpuBackendProvider implements BackendProvider {
  private static final String OPENBLAS = "openblas";
  private static final String REFERENCE = "reference";

  /** For {@link java.util.ServiceLoader}. */
  public CpuBackendProvider() {}

  @Override
  public String name() {
    return "cpu";
  }

  /** Loads OpenBLAS, once in the life of the process: nothing less tells whether that works. */
  @Override
  public Availability probe() {
    try {
      return Availability.usable(50, OpenBlasLoader.load().version() + " and plain Java");
    } catch (BackendException e) {
      return new Availability(10, "plain Java", Optional.of(loss(e)));
    }
  }

  private static String loss(BackendException e) {
    return "prefill is several times slower without OpenBLAS: " + e.getMessage();
  }

  @Override
  public Backend open(BackendOptions options) {
    if (options.variant().isEmpty()) {
      return openBest(options.threads());
    }
    switch (options.variant().get()) {
      case OPENBLAS:
        return openBlas(OpenBlasLoader.load(), options.threads());
      case REFERENCE:
        return openReference(options.threads());
      default:
        throw new BackendException(
            "cpu has no variant \""
                + options.variant().get()
                + "\"; it has: "
                + OPENBLAS
                + ", "
                + REFERENCE);
    }
  }

  private static Backend openBest(int threads) {
    OpenBlas blas;
    try {
      blas = OpenBlasLoader.load();
    } catch (BackendException e) {
      // The loss is in what probe() says; whoever chose this backend has seen it.
      return openReference(threads);
    }
    return openBlas(blas, threads);
  }

  private static Backend openBlas(OpenBlas blas, int threads) {
    WorkerPool pool = new WorkerPool(threads);
    MatrixProduct product = new BlasMatrixProduct(pool, blas, new JavaMatrixProduct(pool));
    Attention attention = new BlasAttention(pool, blas, new JavaAttention(pool));
    String description =
        "cpu:openblas — "
            + blas.version()
            + " for large products, plain Java for the rest; "
            + count(pool);
    return new CpuBackend(description, pool, new CpuOps(pool, product, attention));
  }

  private static Backend openReference(int threads) {
    WorkerPool pool = new WorkerPool(threads);
    CpuOps ops = new CpuOps(pool, new JavaMatrixProduct(pool), new JavaAttention(pool));
    return new CpuBackend("cpu:reference — plain Java; " + count(pool), pool, ops);
  }

  private static String count(WorkerPool pool) {
    return pool.threads() + (pool.threads() == 1 ? " thread" : " threads");
  }
}
