package dev.llama.cpu;

import java.nio.ByteBuffer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.openblas.global.openblas_nolapack;

/**
 * The native library OpenBLAS. Its products run in the thread that asks for them; the backend's
 * threads ask for several at once. The number of threads that OpenBLAS itself uses is set to 1 for
 * that, which is state of the native library: other users of the same copy of it in this process
 * are affected.
 */
final class OpenBlas {
  private OpenBlas() {}

  /** Loads the library, or fails in any of the ways in which that can fail; see OpenBlasLoader. */
  static OpenBlas load() {
    Loader.load(openblas_nolapack.class);
    requireWithinLimit();
    openblas_nolapack.blas_set_num_threads(1);
    return new OpenBlas();
  }

  /**
   * JavaCPP refuses to make pointers while the process has taken more than a multiple of -Xmx
   * outside the heap. Such a refusal was seen to leave the memory of the process damaged (aborts in
   * malloc soon after), so it must not come to that.
   */
  private static void requireWithinLimit() {
    long limit = Pointer.maxPhysicalBytes();
    long taken = Pointer.physicalBytes();
    if (limit > 0 && taken > limit - (limit >> 3)) {
      throw new OutOfMemoryError(
          "the process has taken " + taken + " bytes, JavaCPP's limit is " + limit);
    }
  }

  /** Returns name and version. */
  String version() {
    return openblas_nolapack.OPENBLAS_VERSION.trim();
  }

  /** A place in memory, as native calls take it; can be moved, so that calls allocate nothing. */
  static final class Place extends FloatPointer {
    Place at(Segment segment, long offset) {
      return at(OpenBlas.address(segment) + offset);
    }

    Place at(long newAddress) {
      address = newAddress;
      return this;
    }
  }

  /** The operands of one thread's calls. */
  static final class Operands {
    final Place a = new Place();
    final Place b = new Place();
    final Place c = new Place();

    static Operands of(Scratch scratch) {
      if (scratch.extension() == null) {
        scratch.extension(new Operands());
      }
      return (Operands) scratch.extension();
    }
  }

  /** Returns where a segment begins. */
  static long address(Segment segment) {
    long address = segment.address;
    if (address == 0) {
      address = address(segment.bytes);
      segment.address = address;
    }
    return address;
  }

  /** Returns where a direct buffer begins. */
  static long address(ByteBuffer buffer) {
    return new Pointer(buffer.duplicate().position(0)).address();
  }

  /**
   * {@code c = alpha a · bᵀ + beta c}, all row-major.
   *
   * @param m rows of a and c
   * @param n rows of b, columns of c
   * @param k columns of a and b
   * @param alpha factor
   * @param a [m, k]
   * @param lda distance of its rows
   * @param b [n, k]
   * @param ldb distance of its rows
   * @param beta 0 or 1
   * @param c [m, n]
   * @param ldc distance of its rows
   */
  void productTransposed(
      int m,
      int n,
      int k,
      float alpha,
      Place a,
      int lda,
      Place b,
      int ldb,
      float beta,
      Place c,
      int ldc) {
    openblas_nolapack.cblas_sgemm(
        openblas_nolapack.CblasRowMajor,
        openblas_nolapack.CblasNoTrans,
        openblas_nolapack.CblasTrans,
        m,
        n,
        k,
        alpha,
        a,
        lda,
        b,
        ldb,
        beta,
        c,
        ldc);
  }

  /**
   * {@code c = a · b + beta c}, all row-major.
   *
   * @param m rows of a and c
   * @param n columns of b and c
   * @param k columns of a, rows of b
   * @param a [m, k]
   * @param lda distance of its rows
   * @param b [k, n]
   * @param ldb distance of its rows
   * @param beta 0 or 1
   * @param c [m, n]
   * @param ldc distance of its rows
   */
  void product(
      int m, int n, int k, Place a, int lda, Place b, int ldb, float beta, Place c, int ldc) {
    openblas_nolapack.cblas_sgemm(
        openblas_nolapack.CblasRowMajor,
        openblas_nolapack.CblasNoTrans,
        openblas_nolapack.CblasNoTrans,
        m,
        n,
        k,
        1f,
        a,
        lda,
        b,
        ldb,
        beta,
        c,
        ldc);
  }
}
