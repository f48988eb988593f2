package dev.llama.cpu;

import dev.llama.BackendException;
import dev.llama.spi.Availability;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.BackendProvider;
import java.util.Optional;

/**
 * Runs on any CPU. Variants: {@code native}, own kernels in C, and OpenBLAS for large products if
 * it is there; {@code openblas}, OpenBLAS and plain Java; {@code reference}, plain Java alone.
 */
public final class CpuBackendProvider implements BackendProvider {
  private static final String NATIVE = "native";
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
    Optional<String> blasLoss = Optional.empty();
    String blas = "plain Java";
    try {
      blas = OpenBlas.load().version();
    } catch (BackendException | LinkageError e) {
      blasLoss = Optional.of("prefill is several times slower without OpenBLAS: " + e.getMessage());
    }
    try {
      String kernels = NativeLibrary.load().description();
      return new Availability(
          100, blasLoss.isPresent() ? kernels : kernels + " and " + blas, blasLoss);
    } catch (BackendException | LinkageError e) {
      String loss = "generation is several times slower without native kernels: " + e.getMessage();
      return blasLoss.isPresent()
          ? new Availability(10, blas, Optional.of(loss + "; " + blasLoss.get()))
          : new Availability(50, blas + " and plain Java", Optional.of(loss));
    }
  }

  @Override
  public Backend open(BackendOptions options) {
    if (options.variant().isEmpty()) {
      return openBest(options.threads());
    }
    switch (options.variant().get()) {
      case NATIVE:
        return openNative(NativeLibrary.load(), options.threads());
      case OPENBLAS:
        return openBlas(OpenBlas.load(), options.threads());
      case REFERENCE:
        return openReference(options.threads());
      default:
        throw new BackendException(
            "cpu has no variant \""
                + options.variant().get()
                + "\"; it has: "
                + NATIVE
                + ", "
                + OPENBLAS
                + ", "
                + REFERENCE);
    }
  }

  private static Backend openBest(int threads) {
    // What is lost is in what probe() says; whoever chose this backend has seen it.
    try {
      return openNative(NativeLibrary.load(), threads);
    } catch (BackendException | LinkageError e) {
      OpenBlas blas = openBlasOrNull();
      return blas == null ? openReference(threads) : openBlas(blas, threads);
    }
  }

  private static OpenBlas openBlasOrNull() {
    try {
      return OpenBlas.load();
    } catch (BackendException | LinkageError e) {
      return null;
    }
  }

  private static Backend openNative(NativeLibrary library, int threads) {
    OpenBlas blas = openBlasOrNull();
    WorkerPool pool = new WorkerPool(threads);
    Attention attention = new NativeAttention(pool, new JavaAttention(pool));
    MatrixProduct product;
    String large;
    if (blas == null) {
      product = new NativeMatrixProduct(pool, null);
      large = "";
    } else {
      attention = new BlasAttention(pool, blas, attention);
      product =
          new NativeMatrixProduct(
              pool, new BlasMatrixProduct(pool, blas, new JavaMatrixProduct(pool)));
      large = ", " + blas.version() + " for large products";
    }
    String description = "cpu:native — " + library.description() + large + "; " + count(pool);
    return new CpuBackend(description, pool, new CpuOps(pool, product, attention));
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
