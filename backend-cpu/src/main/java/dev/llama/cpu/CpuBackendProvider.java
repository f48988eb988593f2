package dev.llama.cpu;

import dev.llama.BackendException;
import dev.llama.spi.Availability;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.BackendProvider;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Runs on any CPU. Variants: {@code native}, own kernels in C, and OpenBLAS for large products if
 * it is there; {@code vector}, Java's Vector API, where Java was started with it; {@code openblas},
 * OpenBLAS and plain Java; {@code reference}, plain Java alone. The kernels use the best
 * instruction set that the CPU has; the system property {@code llama.cpu.level} names a lesser one
 * ({@code avx2}, {@code avx512}, {@code avx512vnni}, {@code amx}, {@code neon}, {@code dotprod})
 * before the first use.
 */
public final class CpuBackendProvider implements BackendProvider {
  private static final String NATIVE = "native";
  private static final String OPENBLAS = "openblas";
  private static final String VECTOR = "vector";
  private static final String REFERENCE = "reference";

  /** For {@link java.util.ServiceLoader}. */
  public CpuBackendProvider() {}

  @Override
  public String name() {
    return "cpu";
  }

  /**
   * Loads the libraries, once in the life of the process: nothing less tells whether that works.
   */
  @Override
  public Availability probe() {
    List<String> losses = new ArrayList<>();
    List<String> parts = new ArrayList<>();
    Optional<String> noVector = VectorTier.missing();
    int score = noVector.isPresent() ? 10 : 60;
    try {
      parts.add(OpenBlasLoader.load().version());
      score = Math.max(score, 50);
    } catch (BackendException e) {
      losses.add("prefill is slower without OpenBLAS: " + e.getMessage());
    }
    try {
      parts.add(0, NativeLibrary.load().description());
      score = 100;
    } catch (BackendException e) {
      losses.add("generation is several times slower without native kernels: " + e.getMessage());
      if (noVector.isPresent()) {
        parts.add("plain Java");
        losses.add("and slower still because " + noVector.get());
      } else {
        parts.clear(); // what runs then uses no library
        parts.add("Java's Vector API");
      }
    }
    return new Availability(
        score,
        String.join(" and ", parts),
        losses.isEmpty() ? Optional.empty() : Optional.of(String.join("; ", losses)));
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
        return openBlas(OpenBlasLoader.load(), options.threads());
      case VECTOR:
        return openVector(options.threads());
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
                + VECTOR
                + ", "
                + REFERENCE);
    }
  }

  /** What is lost is in what probe() says; whoever chose this backend has seen it. */
  private static Backend openBest(int threads) {
    NativeLibrary library;
    try {
      library = NativeLibrary.load();
    } catch (BackendException e) {
      if (!VectorTier.missing().isPresent()) {
        return openVector(threads);
      }
      OpenBlas blas = openBlasOrNull();
      return blas == null ? openReference(threads) : openBlas(blas, threads);
    }
    return openNative(library, threads);
  }

  private static OpenBlas openBlasOrNull() {
    try {
      return OpenBlasLoader.load();
    } catch (BackendException e) {
      return null;
    }
  }

  private static Backend openNative(NativeLibrary library, int threads) {
    OpenBlas blas = openBlasOrNull();
    WorkerPool pool = new WorkerPool(threads);
    Attention attention = new NativeAttention(pool, new JavaAttention(pool));
    MatrixProduct large = null;
    String description = "cpu:native — " + library.description();
    if (blas != null) {
      attention = new BlasAttention(pool, blas, attention);
      large = new BlasMatrixProduct(pool, blas, new JavaMatrixProduct(pool));
      description += ", " + blas.version() + " for large products";
    }
    NativeSequenceAttention sequences = new NativeSequenceAttention(pool, attention);
    NativeLargeProduct product =
        new NativeLargeProduct(pool, new NativeMatrixProduct(library, pool, large));
    RowOps rows = new NativeRowOps(pool);
    CpuOps ops = new CpuOps(product, sequences, rows);
    CpuGradOps grad = CpuGradOps.inC(pool, product, sequences, rows);
    return new CpuBackend(description + "; " + count(pool), pool, ops, grad);
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
    return new CpuBackend(
        description,
        pool,
        new CpuOps(product, attention, new RowOps(pool)),
        CpuGradOps.inJava(pool));
  }

  private static Backend openVector(int threads) {
    WorkerPool pool = new WorkerPool(threads);
    try {
      Attention attention = new JavaAttention(pool, VectorTier.loops());
      CpuOps ops = new CpuOps(VectorTier.product(pool), attention, new RowOps(pool));
      return new CpuBackend(
          "cpu:vector — Java's Vector API; " + count(pool), pool, ops, CpuGradOps.inJava(pool));
    } catch (BackendException e) {
      pool.close();
      throw e;
    }
  }

  private static Backend openReference(int threads) {
    WorkerPool pool = new WorkerPool(threads);
    CpuOps ops = new CpuOps(new JavaMatrixProduct(pool), new JavaAttention(pool), new RowOps(pool));
    return new CpuBackend(
        "cpu:reference — plain Java; " + count(pool), pool, ops, CpuGradOps.inJava(pool));
  }

  private static String count(WorkerPool pool) {
    return pool.threads() + (pool.threads() == 1 ? " thread" : " threads");
  }
}
