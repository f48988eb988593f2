package dev.llama.cuda;

import dev.llama.DType;
import java.util.Optional;

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

  /** Rows up to which weights are read once and activations again and again. */
  private static final int FEW_ROWS = 8;

  private static final int OUTPUTS_PER_BLOCK = 4;
  private static final int MATVEC_THREADS = 128;
  private static final int ALIGNMENT = 256;

  /** Parts of the result that a block of the kernels for matrix units computes. */
  private enum Tile {
    LARGE(128, 256, 61440),
    MIDDLING(64, 128, 40960),
    SMALL(32, 128, 36864);

    private final int size;
    private final int threads;
    private final int sharedBytes;

    Tile(int size, int threads, int sharedBytes) {
      this.size = size;
      this.threads = threads;
      this.sharedBytes = sharedBytes;
    }

    /** The largest that leaves no more than a quarter of the device idle. */
    static Tile of(Gpu gpu, int rows, int outputs) {
      for (Tile tile : values()) {
        long blocks = Grid.ceil(rows, tile.size) * Grid.ceil(outputs, tile.size);
        if (4 * blocks >= 3L * gpu.device().multiprocessors()) {
          return tile;
        }
      }
      return SMALL;
    }
  }

  private final Gpu gpu;
  private final Optional<LargeProducts> library;
  private final QuantizedActivations eightBits;

  /**
   * Makes products.
   *
   * @param gpu where
   * @param library for the largest, if there is one
   * @param eightBits activations that need not be quantised again
   */
  Products(Gpu gpu, Optional<LargeProducts> library, QuantizedActivations eightBits) {
    this.gpu = gpu;
    this.library = library;
    this.eightBits = eightBits;
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
    boolean aligned = weight.type() == DType.F32 || x.width() % 8 == 0;
    if (x.rows() <= fewRows(weight.type()) || !aligned) {
      few(mode, x, new CudaTensor[] {out}, weight);
    } else if (weight.type() == DType.F32) {
      int rows = (int) x.rows();
      int inputs = (int) x.width();
      int outputs = (int) out.width();
      tiled(gpu, "matmul_f32", rows, outputs, out, x, weight, rows, inputs, outputs, mode);
    } else if (!byLibrary(out, x, weight, mode)) {
      many(out, x, weight, mode);
    }
  }

  private boolean byLibrary(CudaTensor out, CudaTensor x, CudaTensor weight, int mode) {
    return library.isPresent()
        && library.get().takes(out, x, weight)
        && library.get().multiply(out, x, weight, mode == ADD);
  }

  private static int fewRows(DType type) {
    return type.isQuantized() ? QuantizedActivations.MAX_ROWS : FEW_ROWS;
  }

  /** Whether several products with the same activations can be one launch. */
  boolean canJoin(CudaTensor x, CudaTensor... weights) {
    for (CudaTensor weight : weights) {
      if (weight.type() != weights[0].type()) {
        return false;
      }
    }
    return x.rows() <= fewRows(weights[0].type());
  }

  /**
   * Computes several products with the same activations, which {@link #canJoin}.
   *
   * @param x [rows, inputs]
   * @param outs [rows, outputs] each
   * @param weights [outputs, inputs] each, at most three, of one type
   */
  void multiplyEach(CudaTensor x, CudaTensor[] outs, CudaTensor... weights) {
    few(SET, x, outs, weights);
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
    few(SWIGLU, x, new CudaTensor[] {out}, gate, up);
  }

  private void few(int mode, CudaTensor x, CudaTensor[] outs, CudaTensor... weights) {
    Format format = Format.of(weights[0].type());
    int rows = (int) x.rows();
    int atOnce = rows == 1 ? 1 : rows <= 4 || format.type().isQuantized() ? 4 : 8;
    int[] outputs = new int[3];
    int sum = 0;
    for (int i = 0; i < weights.length; i++) {
      outputs[i] = (int) weights[i].rows();
      sum += mode == SWIGLU && i > 0 ? 0 : outputs[i];
    }
    Object activations = format.type().isQuantized() ? (Object) quantized(x) : x;
    gpu.launch(
        "matvec_" + format.suffix() + "_" + atOnce,
        Grid.plane(Grid.ceil(sum, OUTPUTS_PER_BLOCK), Grid.ceil(rows, atOnce), MATVEC_THREADS),
        outs[0],
        outs.length > 1 ? outs[1] : null,
        outs.length > 2 ? outs[2] : null,
        activations,
        weights[0],
        weights.length > 1 ? weights[1] : null,
        weights.length > 2 ? weights[2] : null,
        rows,
        (int) x.width(),
        outputs[0],
        outputs[1],
        outputs[2],
        mode);
  }

  /** Enqueues the rounding of activations to int8, unless that is done; returns where they are. */
  private long quantized(CudaTensor x) {
    long found = eightBits.find(x);
    if (found != 0) {
      return found;
    }
    long scratch = gpu.scratch(QuantizedActivations.bytes(x));
    gpu.launch(
        "quantize_rows",
        Grid.strides(gpu, x.elements() / 4),
        scratch,
        x,
        (int) x.rows(),
        (int) x.width());
    return scratch;
  }

  /** On the matrix units, which take activations of 16 bits. */
  private void many(CudaTensor out, CudaTensor x, CudaTensor weight, int mode) {
    int rows = (int) x.rows();
    int inputs = (int) x.width();
    int outputs = (int) out.width();
    long roundedBytes = align(2 * x.elements());
    long rounded = gpu.scratch(roundedBytes + (long) rows * Float.BYTES);
    long factors = rounded + roundedBytes;
    String rounding = weight.type() == DType.BF16 ? "round_rows_bf16" : "round_rows_f16";
    gpu.launch(rounding, Grid.line(rows), rounded, factors, x, inputs);
    Tile tile = Tile.of(gpu, rows, outputs);
    gpu.launch(
        "matmul_" + Format.of(weight.type()).suffix() + "_" + tile.size,
        new Grid(
            Grid.ceil(rows, tile.size),
            Grid.ceil(outputs, tile.size),
            1,
            tile.threads,
            tile.sharedBytes),
        out,
        rounded,
        factors,
        weight,
        rows,
        inputs,
        outputs,
        mode);
  }

  static long align(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /**
   * Enqueues a product of F32 by tiles of 128, or of 64 where those would leave the device half
   * idle.
   *
   * @param gpu where
   * @param kernel name without the tile's size
   * @param rows of the result
   * @param columns of the result
   * @param arguments of the kernel
   */
  static void tiled(Gpu gpu, String kernel, int rows, int columns, Object... arguments) {
    long large = Grid.ceil(rows, 128) * Grid.ceil(columns, 128);
    int tile = large >= gpu.device().multiprocessors() ? 128 : 64;
    gpu.launch(
        kernel + "_" + tile,
        Grid.plane(Grid.ceil(columns, tile), Grid.ceil(rows, tile), Grid.THREADS),
        arguments);
  }
}
