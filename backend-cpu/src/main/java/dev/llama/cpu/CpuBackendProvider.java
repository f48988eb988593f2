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

  @Override
  public Availability probe() {
    return new Availability(10, "plain Java", Optional.empty());
  }

  @Override
  public Backend open(BackendOptions options) {
    String variant = options.variant().orElse(REFERENCE);
    switch (variant) {
      case REFERENCE:
        return openReference(options.threads());
      default:
        throw new BackendException(
            "cpu has no variant \"" + variant + "\"; it has: " + OPENBLAS + ", " + REFERENCE);
    }
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
