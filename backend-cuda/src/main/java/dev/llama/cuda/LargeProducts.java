package dev.llama.cuda;

import com.sun.jna.Memory;
import dev.llama.BackendException;
import dev.llama.DType;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Products of many rows with BF16 weights by cuBLASLt. Not of F16, whose activations may be beyond
 * its range; the own kernels scale them. For who has entered the {@link Gpu}.
 */
final class LargeProducts implements AutoCloseable {
  /**
   * Multiplications and additions from which cuBLASLt is worth its call: some ten microseconds of
   * the fastest device's matrix units, which is what a call costs the host. By arithmetic; it has
   * not been measured.
   */
  private static final long LEAST_WORK = 1L << 33;

  private static final int LEAST_ROWS = 128;

  /** Of the first element of each matrix, in bytes. */
  private static final int ALIGNMENT = 16;

  private static final long WORK_SPACE_BYTES = 32L << 20;

  /** sizeof(cublasLtMatmulHeuristicResult_t), which begins with the algorithm. */
  private static final int RESULT_BYTES = 96;

  private static final Logger LOG = LoggerFactory.getLogger(LargeProducts.class);

  private final Gpu gpu;
  private final long leastWork;
  private final Memory out = new Memory(Long.BYTES);
  private final Memory one = new Memory(Float.BYTES);
  private final Memory zero = new Memory(Float.BYTES);
  private final Map<Shape, Plan> plans = new HashMap<>();
  private final long handle;

  private record Shape(long rows, long inputs, long outputs) {}

  /** What the library needs to know of a shape; made once. */
  private static final class Plan {
    private long desc;
    private long weight;
    private long activations;
    private long result;
    private final Memory algorithm = new Memory(RESULT_BYTES);
    private boolean usable;

    private void close() {
      CublasLt.cublasLtMatmulDescDestroy(desc);
      for (long layout : new long[] {weight, activations, result}) {
        if (layout != 0) {
          CublasLt.cublasLtMatrixLayoutDestroy(layout);
        }
      }
      algorithm.close();
    }
  }

  private LargeProducts(Gpu gpu, long leastWork) {
    this.gpu = gpu;
    this.leastWork = leastWork;
    check(CublasLt.cublasLtCreate(Driver.address(out)), "cublasLtCreate");
    handle = out.getLong(0);
    one.setFloat(0, 1);
    zero.setFloat(0, 0);
  }

  /**
   * Opens the library.
   *
   * @param gpu where
   * @return empty where there is none that works
   */
  static Optional<LargeProducts> open(Gpu gpu) {
    return open(gpu, LEAST_WORK);
  }

  /** As {@link #open(Gpu)}, from another size on; for tests. */
  static Optional<LargeProducts> open(Gpu gpu, long leastWork) {
    if (!CublasLt.load()) {
      return Optional.empty();
    }
    try {
      return Optional.of(new LargeProducts(gpu, leastWork));
    } catch (BackendException e) {
      LOG.warn("{}; large products run on the own kernels instead", e.getMessage());
      return Optional.empty();
    }
  }

  /** Returns what runs. */
  static String version() {
    long version = CublasLt.cublasLtGetVersion();
    return "cuBLASLt " + version / 10000 + "." + version / 100 % 100 + "." + version % 100;
  }

  /** Whether a product is large enough. */
  boolean takes(CudaTensor product, CudaTensor x, CudaTensor weight) {
    return weight.type() == DType.BF16
        && x.rows() >= LEAST_ROWS
        && product.address() % ALIGNMENT == 0
        && weight.address() % ALIGNMENT == 0
        && x.width() % 8 == 0
        && weight.rows() % 8 == 0
        && 2.0 * x.elements() * weight.rows() >= leastWork;
  }

  /**
   * Computes {@code out (=|+=) x · weightᵀ}. The library counts columns first, so that this is
   * {@code outᵀ = weight · xᵀ} of matrices that are stored transposed.
   *
   * @param product [rows, outputs]
   * @param x [rows, inputs]
   * @param weight [outputs, inputs]
   * @param add whether to add to what is there
   * @return false if the library has no algorithm for these sizes; nothing is done then
   */
  boolean multiply(CudaTensor product, CudaTensor x, CudaTensor weight, boolean add) {
    Plan plan = plans.computeIfAbsent(new Shape(x.rows(), x.width(), weight.rows()), this::plan);
    if (!plan.usable) {
      return false;
    }
    long rounded = gpu.scratch(WORK_SPACE_BYTES + 2 * x.elements()) + WORK_SPACE_BYTES;
    gpu.launch("round_bf16", Grid.strides(gpu, x.elements()), rounded, x, x.elements());
    if (gpu.isPlanning()) {
      return true;
    }
    check(
        CublasLt.cublasLtMatmul(
            handle,
            plan.desc,
            Driver.address(one),
            weight.address(),
            plan.weight,
            rounded,
            plan.activations,
            Driver.address(add ? one : zero),
            product.address(),
            plan.result,
            product.address(),
            plan.result,
            Driver.address(plan.algorithm),
            rounded - WORK_SPACE_BYTES,
            WORK_SPACE_BYTES,
            gpu.stream()),
        "cublasLtMatmul of " + x.rows() + " x " + x.width() + " x " + weight.rows());
    return true;
  }

  private Plan plan(Shape shape) {
    Plan plan = new Plan();
    try {
      check(
          CublasLt.cublasLtMatmulDescCreate(
              Driver.address(out), CublasLt.COMPUTE_32F, CublasLt.TYPE_32F),
          "cublasLtMatmulDescCreate");
      plan.desc = out.getLong(0);
      out.setInt(0, CublasLt.OPERATION_T);
      check(
          CublasLt.cublasLtMatmulDescSetAttribute(
              plan.desc, CublasLt.DESC_TRANSA, Driver.address(out), Integer.BYTES),
          "cublasLtMatmulDescSetAttribute");
      plan.weight = layout(CublasLt.TYPE_16BF, shape.inputs, shape.outputs);
      plan.activations = layout(CublasLt.TYPE_16BF, shape.inputs, shape.rows);
      plan.result = layout(CublasLt.TYPE_32F, shape.outputs, shape.rows);
      plan.usable = choose(plan);
      return plan;
    } catch (RuntimeException e) {
      plan.close();
      throw e;
    }
  }

  private long layout(int type, long rows, long columns) {
    check(
        CublasLt.cublasLtMatrixLayoutCreate(Driver.address(out), type, rows, columns, rows),
        "cublasLtMatrixLayoutCreate of " + rows + " x " + columns);
    return out.getLong(0);
  }

  /** Returns whether there is an algorithm. */
  private boolean choose(Plan plan) {
    check(
        CublasLt.cublasLtMatmulPreferenceCreate(Driver.address(out)),
        "cublasLtMatmulPreferenceCreate");
    long preference = out.getLong(0);
    try {
      out.setLong(0, WORK_SPACE_BYTES);
      check(
          CublasLt.cublasLtMatmulPreferenceSetAttribute(
              preference, CublasLt.PREFERENCE_MAX_WORKSPACE_BYTES, Driver.address(out), Long.BYTES),
          "cublasLtMatmulPreferenceSetAttribute");
      out.setInt(0, ALIGNMENT);
      for (int attribute : CublasLt.PREFERENCE_MIN_ALIGNMENTS) {
        check(
            CublasLt.cublasLtMatmulPreferenceSetAttribute(
                preference, attribute, Driver.address(out), Integer.BYTES),
            "cublasLtMatmulPreferenceSetAttribute");
      }
      out.setInt(0, 0);
      int status =
          CublasLt.cublasLtMatmulAlgoGetHeuristic(
              handle,
              plan.desc,
              plan.weight,
              plan.activations,
              plan.result,
              plan.result,
              preference,
              1,
              Driver.address(plan.algorithm),
              Driver.address(out));
      return status == 0 && out.getInt(0) == 1;
    } finally {
      CublasLt.cublasLtMatmulPreferenceDestroy(preference);
    }
  }

  private static void check(int status, String call) {
    if (status != 0) {
      throw new BackendException("CUDA: " + call + " failed: cublasStatus_t " + status);
    }
  }

  @Override
  public void close() {
    plans.values().forEach(Plan::close);
    plans.clear();
    CublasLt.cublasLtDestroy(handle);
    out.close();
    one.close();
    zero.close();
  }
}
