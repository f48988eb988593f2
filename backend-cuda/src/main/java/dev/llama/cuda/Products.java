package dev.llama.cuda;

import dev.llama.DType;

/**
 * Matrix products: few rows by kernels that are limited by reading the weights once, many rows by
 * those that use the matrix units. For who has entered the {@link Gpu}.
 */
final class Products {
  /** What a product does with its output; the kernels' {@code mode}. */
  static final int SET = 0;

  static final int ADD = 1;

  /** Of two matrices: {@code out = silu(x · w0ᵀ) * (x · w1ᵀ)}. */
  private static final int SWIGLU = 2;

  private static final int OUTPUTS_PER_BLOCK = 4;
  private static final int THREADS = 128;

  private final Gpu gpu;

  Products(Gpu gpu) {
    this.gpu = gpu;
  }

  /**
   * Computes {@code out (=|+=) x · weightᵀ}.
   *
   * @param out [rows, outputs]
   * @param x [rows, inputs]
   * @param weight [outputs, inputs]
   * @param mode SET or ADD
   */
  void multiply(CudaTensor out, CudaTensor x, CudaTensor weight, int mode) {
    if (weight.type() == DType.F32 && x.rows() > MAX_FEW_ROWS) {
      int rows = Math.toIntExact(x.rows());
      int inputs = Math.toIntExact(x.width());
      int outputs = Math.toIntExact(out.width());
      tiled(gpu, "matmul_f32", rows, outputs, out, x, weight, rows, inputs, outputs, mode);
    } else {
      fewRows(mode, x, new CudaTensor[] {out}, weight);
    }
  }

  /**
   * Enqueues a product by tiles of 128, or of 64 where those would leave the device half idle.
   *
   * @param kernel name without the tile's size
   * @param rows of the result
   * @param columns of the result
   */
  static void tiled(Gpu gpu, String kernel, int rows, int columns, Object... arguments) {
    int tile =
        Grid.ceil(rows, 128) * Grid.ceil(columns, 128) >= gpu.device().multiprocessors() ? 128 : 64;
    gpu.launch(
        kernel + "_" + tile,
        Grid.plane(Grid.ceil(columns, tile), Grid.ceil(rows, tile), Grid.THREADS),
        arguments);
  }

  /** Whether several products with the same activations can be one launch. */
  boolean canJoin(CudaTensor x, CudaTensor... weights) {
    for (CudaTensor weight : weights) {
      if (weight.type() != weights[0].type()) {
        return false;
      }
    }
    return x.rows() <= MAX_FEW_ROWS;
  }

  private static final int MAX_FEW_ROWS = 8;

  /**
   * Computes several products with the same activations, which {@link #canJoin}.
   *
   * @param x [rows, inputs]
   * @param outs [rows, outputs] each
   * @param weights [outputs, inputs] each, at most three, of one type
   */
  void multiplyEach(CudaTensor x, CudaTensor[] outs, CudaTensor... weights) {
    fewRows(SET, x, outs, weights);
  }

  /**
   * Computes {@code out = silu(x · gateᵀ) * (x · upᵀ)} with weights which {@link #canJoin}.
   *
   * @param out [rows, outputs]
   * @param x [rows, inputs]
   * @param gate [outputs, inputs]
   * @param up [outputs, inputs]
   */
  void gated(CudaTensor out, CudaTensor x, CudaTensor gate, CudaTensor up) {
    fewRows(SWIGLU, x, new CudaTensor[] {out}, gate, up);
  }

  private void fewRows(int mode, CudaTensor x, CudaTensor[] outs, CudaTensor... weights) {
    Format format = Format.of(weights[0].type());
    int rows = Math.toIntExact(x.rows());
    int inputs = Math.toIntExact(x.width());
    int atOnce = rowsAtOnce(rows, format);
    int[] outputs = new int[3];
    int sum = 0;
    for (int i = 0; i < weights.length; i++) {
      outputs[i] = Math.toIntExact(weights[i].rows());
      sum += mode == SWIGLU && i > 0 ? 0 : outputs[i];
    }
    gpu.launch(
        "matvec_" + format.suffix() + "_" + atOnce,
        Grid.plane(Grid.ceil(sum, OUTPUTS_PER_BLOCK), Grid.ceil(rows, atOnce), THREADS),
        outs[0],
        outs.length > 1 ? outs[1] : null,
        outs.length > 2 ? outs[2] : null,
        format.type().isQuantized() ? (Object) quantized(x) : x,
        weights[0],
        weights.length > 1 ? weights[1] : null,
        weights.length > 2 ? weights[2] : null,
        rows,
        inputs,
        outputs[0],
        outputs[1],
        outputs[2],
        mode);
  }

  private static int rowsAtOnce(int rows, Format format) {
    if (rows == 1) {
      return 1;
    }
    return rows <= 4 || format.type().isQuantized() ? 4 : 8;
  }

  /** Enqueues the rounding of activations to int8; returns where they will be. */
  private long quantized(CudaTensor x) {
    long scratch = gpu.scratch(x.elements() / 4 * 5);
    gpu.launch(
        "quantize_rows",
        Grid.strides(gpu, x.elements() / 4),
        scratch,
        x,
        Math.toIntExact(x.rows()),
        Math.toIntExact(x.width()));
    return scratch;
  }
}
