package dev.llama.cuda;

import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Platform;
import java.util.ArrayList;
import java.util.List;

/**
 * The functions of cuBLASLt that are used here, under their own names. It comes with the CUDA
 * toolkit, not with the driver, so that it may be absent. Each but the version returns a {@code
 * cublasStatus_t}; handles and addresses are longs, and arguments named {@code out…} addresses of
 * host memory for results.
 */
final class CublasLt {
  /** cublasComputeType_t: sums in F32. */
  static final int COMPUTE_32F = 68;

  /** cudaDataType_t. */
  static final int TYPE_32F = 0;

  static final int TYPE_16BF = 14;

  /** cublasLtMatmulDescAttributes_t: how the first factor is to be read. */
  static final int DESC_TRANSA = 3;

  /** cublasOperation_t: transposed. */
  static final int OPERATION_T = 1;

  /** cublasLtMatmulPreferenceAttributes_t: most bytes of work space. */
  static final int PREFERENCE_MAX_WORKSPACE_BYTES = 1;

  /** The same enumeration: least alignment of a, b, c and d in bytes. */
  static final int[] PREFERENCE_MIN_ALIGNMENTS = {5, 6, 7, 8};

  private static final int[] VERSIONS = {13, 12, 11};

  private CublasLt() {}

  /**
   * Loads the library, once in a process.
   *
   * @return whether there is one
   */
  static synchronized boolean load() {
    if (Native.registered(CublasLt.class)) {
      return true;
    }
    for (String name : names()) {
      try {
        Native.register(CublasLt.class, NativeLibrary.getInstance(name));
        return true;
      } catch (UnsatisfiedLinkError e) {
        Native.unregister(CublasLt.class); // not there, or without a function; perhaps the next
      }
    }
    return false;
  }

  private static List<String> names() {
    List<String> names = new ArrayList<>();
    if (DriverLibrary.isEmulator()) {
      names.add(DriverLibrary.name());
      return names;
    }
    for (int version : VERSIONS) {
      names.add(Platform.isWindows() ? "cublasLt64_" + version : "libcublasLt.so." + version);
    }
    return names;
  }

  static native long cublasLtGetVersion();

  static native int cublasLtCreate(long outHandle);

  static native int cublasLtDestroy(long handle);

  static native int cublasLtMatmulDescCreate(long outDesc, int compute, int scaleType);

  static native int cublasLtMatmulDescSetAttribute(
      long desc, int attribute, long value, long bytes);

  static native int cublasLtMatmulDescDestroy(long desc);

  static native int cublasLtMatrixLayoutCreate(
      long outLayout, int type, long rows, long columns, long leadingDimension);

  static native int cublasLtMatrixLayoutDestroy(long layout);

  static native int cublasLtMatmulPreferenceCreate(long outPreference);

  static native int cublasLtMatmulPreferenceSetAttribute(
      long preference, int attribute, long value, long bytes);

  static native int cublasLtMatmulPreferenceDestroy(long preference);

  static native int cublasLtMatmulAlgoGetHeuristic(
      long handle,
      long desc,
      long layoutA,
      long layoutB,
      long layoutC,
      long layoutD,
      long preference,
      int wanted,
      long outResults,
      long outCount);

  @SuppressWarnings("checkstyle:parameternumber") // they are the library's
  static native int cublasLtMatmul(
      long handle,
      long desc,
      long alpha,
      long a,
      long layoutA,
      long b,
      long layoutB,
      long beta,
      long c,
      long layoutC,
      long d,
      long layoutD,
      long algorithm,
      long workSpace,
      long workSpaceBytes,
      long stream);
}
