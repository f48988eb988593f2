package dev.llama.cpu;

import dev.llama.BackendException;
import dev.llama.spi.Availability;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.BackendProvider;
import java.util.Optional;

/**
 * Runs on any CPU. Variants: {@code native}, own kernels in C, and OpenBLAS, if it is there, for
 * large products that they do not serve best; {@code vector}, Java's Vector API, where Java was
 * started with it; {@code openblas}, OpenBLAS and plain Java; {@code reference}, plain Java alone.
 * The kernels use the best instruction set that the CPU has; the system property {@code
 * llama.cpu.level} names a lesser one ({@code avx2}, {@code avx512}, {@code avx512vnni}, {@code
 * amx}, {@code neon}, {@code dotprod}) before the first use.
 */
public final class CpuBackendProvider implements BackendProvider {
  private static final String NATIVE = "native";
  private static final String OPENBLAS = "openblas";
  private static final String VECTOR = "vector";
  private static final String REFERENCE = "reference";

  // See Availability.
  private static final int NATIVE_SCORE = 100;
  private static final int VECTOR_SCORE = 60;
  private static final int BLAS_SCORE = 50;
  private static final int REFERENCE_SCORE = 10;

  /** For {@link java.util.ServiceLoader}. */
  public CpuBackendProvider() {}

  @Override
  public String name() {
    return "cpu";
  }

  /**
   * Loads the native library, once in the life of the process: nothing less tells whether that
   * works. OpenBLAS is loaded only where it is all that there is.
   */
  @Override
  public Availability probe() {
    try {
      return probe(NativeLibrary.load());
    } catch (BackendException e) {
      return probeWithoutNative(
          "generation is several times slower without native kernels: " + e.getMessage());
    }
  }

  private static Availability probe(NativeLibrary library) {
    if (library.level().unpacksAll()) {
      return Availability.usable(NATIVE_SCORE, library.description());
    }
    Optional<String> noBlas = OpenBlasLoader.missing();
    return new Availability(
        NATIVE_SCORE,
        library.description() + (noBlas.isPresent() ? "" : " and OpenBLAS"),
        noBlas.isPresent()
            ? Optional.of("prefill is slower without OpenBLAS: " + noBlas.get())
            : Optional.empty());
  }

  private static Availability probeWithoutNative(String loss) {
    Optional<String> noVector = VectorTier.missing();
    if (!noVector.isPresent()) {
      return new Availability(VECTOR_SCORE, "Java's Vector API", Optional.of(loss));
    }
    String slower = loss + "; and slower still because " + noVector.get();
    try {
      String blas = OpenBlasLoader.load().version();
      return new Availability(BLAS_SCORE, "plain Java and " + blas, Optional.of(slower));
    } catch (BackendException e) {
      return new Availability(
          REFERENCE_SCORE,
          "plain Java",
          Optional.of(slower + "; prefill is slower without OpenBLAS: " + e.getMessage()));
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
    WorkerPool pool = new WorkerPool(threads);
    Attention attention = new NativeAttention(pool, new JavaAttention(pool));
    NativeSequenceAttention sequences = new NativeSequenceAttention(pool, attention);
    NativeLargeProduct product =
        new NativeLargeProduct(
            pool, new NativeMatrixProduct(library, pool, new BlasOnDemand(pool)));
    RowOps rows = new NativeRowOps(pool);
    CpuOps ops = new CpuOps(product, sequences, rows);
    CpuGradOps grad = CpuGradOps.inC(pool, product, sequences, rows);
    String description = "cpu:native — " + library.description() + "; " + count(pool);
    return new CpuBackend(description, pool, ops, grad, Optional.of(new MappedPages()));
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
        CpuGradOps.inJava(pool),
        Optional.empty());
  }

  private static Backend openVector(int threads) {
    WorkerPool pool = new WorkerPool(threads);
    try {
      Attention attention = new JavaAttention(pool, VectorTier.loops());
      CpuOps ops = new CpuOps(VectorTier.product(pool), attention, new RowOps(pool));
      String description = "cpu:vector — Java's Vector API; " + count(pool);
      return new CpuBackend(description, pool, ops, CpuGradOps.inJava(pool), Optional.empty());
    } catch (BackendException e) {
      pool.close();
      throw e;
    }
  }

  private static Backend openReference(int threads) {
    WorkerPool pool = new WorkerPool(threads);
    CpuOps ops = new CpuOps(new JavaMatrixProduct(pool), new JavaAttention(pool), new RowOps(pool));
    String description = "cpu:reference — plain Java; " + count(pool);
    return new CpuBackend(description, pool, ops, CpuGradOps.inJava(pool), Optional.empty());
  }

  private static String count(WorkerPool pool) {
    return pool.threads() + (pool.threads() == 1 ? " thread" : " threads");
  }
}
