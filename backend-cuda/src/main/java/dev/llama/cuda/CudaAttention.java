package dev.llama.cuda;

import dev.llama.InvalidInputException;
import dev.llama.spi.AttentionDropout;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.KvShape;
import java.util.Locale;

/**
 * Attention: appends to the caches, then attends, rows of short runs by kernels that split the
 * context over the device, and long runs by tiles of rows. For who has entered the {@link Gpu}.
 */
final class CudaAttention {
  /** Query heads that a block of the decode kernel serves together. */
  private static final int HEADS_PER_BLOCK = 4;

  /** Largest head of the kernels whose blocks serve whole tiles. */
  private static final int NARROW_HEAD = 128;

  /** Largest head of any kernel. */
  private static final int WIDEST_HEAD = 256;

  private static final int[] MATRIX_UNIT_HEADS = {64, 96, 128};

  /** Lanes that quantise a block of activations together. */
  private static final int WARP = 32;

  private static final int MAX_SPLITS = 64;
  private static final int THREADS = 128;
  private static final int ROWS_PER_DELTA_BLOCK = 4;

  private final Gpu gpu;
  private final QuantizedActivations eightBits;

  CudaAttention(Gpu gpu, QuantizedActivations eightBits) {
    this.gpu = gpu;
    this.eightBits = eightBits;
  }

  /** Queries, keys and values of an operation, [rows, width] each. */
  record Inputs(CudaTensor q, CudaTensor k, CudaTensor v) {}

  /** Refuses heads that the kernels cannot serve. */
  static void checkSpec(String op, AttentionSpec spec) {
    if (spec.headDim() > WIDEST_HEAD || spec.headDim() % 2 != 0) {
      throw new InvalidInputException(
          op
              + ": headDim is "
              + spec.headDim()
              + "; the kernels take even ones up to "
              + WIDEST_HEAD);
    }
  }

  /** Refuses a cache that has another shape, was closed, or has lost its room. */
  static void checkCache(CudaBatch.Run run, AttentionSpec spec) {
    if (run.cache() == null) {
      return;
    }
    if (spec.dropout().isPresent()) {
      throw new InvalidInputException("attention: dropout is for sequences without caches only");
    }
    run.cache().requireOpen();
    KvShape shape = run.cache().shape();
    if (spec.layer() < 0
        || spec.layer() >= shape.layers()
        || spec.keyValueHeads() != shape.keyValueHeads()
        || spec.headDim() != shape.headDim()) {
      throw new InvalidInputException("shape mismatch in attention: " + spec + " with " + shape);
    }
    if (run.firstPosition() + run.count() > run.cache().length()) {
      throw new InvalidInputException(
          "attention: the batch writes positions up to "
              + (run.firstPosition() + run.count())
              + ", but the KV cache was truncated to "
              + run.cache().length());
    }
  }

  /**
   * Appends and attends; see {@link dev.llama.spi.Ops#attention}.
   *
   * @param out [rows, heads * headDim]
   * @param lse [rows, heads] or null
   * @param in queries, keys, values
   * @param batch whose caches have been checked
   * @param spec heads, scale, window, layer
   */
  void attend(CudaTensor out, CudaTensor lse, Inputs in, CudaBatch batch, AttentionSpec spec) {
    for (CudaBatch.Kind kind : batch.kinds()) {
      if (kind != CudaBatch.Kind.ROWS) {
        append(kind, in, batch, spec);
      }
    }
    if (batch.decodeCount() > 0) {
      decode(out, lse, in, batch, spec);
    }
    for (CudaBatch.Kind kind : batch.tileKinds()) {
      if (kind == CudaBatch.Kind.F16 && matrixUnitHead(spec) > 0) {
        prefillOnMatrixUnits(out, lse, in, batch, spec);
      } else {
        prefill(kind, out, lse, in, batch, spec);
      }
    }
  }

  private void append(CudaBatch.Kind kind, Inputs in, CudaBatch batch, AttentionSpec spec) {
    long blocksPerRow = Math.min(Grid.ceil(in.k.width(), Grid.THREADS), 64);
    gpu.launch(
        "kv_append_" + suffix(kind),
        Grid.plane(batch.rows(), blocksPerRow, Grid.THREADS),
        in.k,
        in.v,
        batch.positions(),
        batch.rowRunsAddress(),
        batch.runsAddress(),
        spec.layer(),
        spec.keyValueHeads(),
        spec.headDim());
  }

  private void decode(
      CudaTensor out, CudaTensor lse, Inputs in, CudaBatch batch, AttentionSpec spec) {
    int rows = batch.decodeCount();
    int group = spec.heads() / spec.keyValueHeads();
    long blocks = spec.keyValueHeads() * Grid.ceil(group, HEADS_PER_BLOCK);
    int splits = splits(blocks * rows);
    long partBytes = (long) rows * spec.heads() * splits * (spec.headDim() + 2) * Float.BYTES;
    partBytes = Products.align(partBytes);
    long parts = gpu.scratch(partBytes + QuantizedActivations.bytes(out));
    boolean wanted = rows == batch.rows() && spec.headDim() % WARP == 0 && eightBits.isWanted(out);
    long quantized = wanted ? parts + partBytes : 0;
    for (CudaBatch.Kind kind : batch.decodeKinds()) {
      gpu.launch(
          "attention_decode_" + suffix(kind),
          new Grid(splits, blocks, rows, THREADS, 0),
          parts,
          in.q,
          in.k,
          in.v,
          batch.decodeRowsAddress(),
          batch.positions(),
          batch.rowRunsAddress(),
          batch.runsAddress(),
          spec.layer(),
          spec.heads(),
          spec.keyValueHeads(),
          spec.headDim(),
          spec.scale(),
          spec.window());
    }
    gpu.launch(
        "attention_merge",
        Grid.plane(spec.heads(), rows, THREADS),
        out,
        lse,
        parts,
        batch.decodeRowsAddress(),
        splits,
        spec.headDim(),
        quantized,
        rows);
    if (wanted) {
      eightBits.left(out, quantized);
    }
  }

  /** So many that every multiprocessor has two blocks, whatever the length of the context. */
  private int splits(long blocks) {
    long wanted = 2L * gpu.device().multiprocessors() / blocks;
    return (int) Math.max(1, Math.min(MAX_SPLITS, wanted));
  }

  private void prefill(
      CudaBatch.Kind kind,
      CudaTensor out,
      CudaTensor lse,
      Inputs in,
      CudaBatch batch,
      AttentionSpec spec) {
    boolean narrow = spec.headDim() <= NARROW_HEAD;
    int padded = padded(spec);
    int floats = narrow ? (64 + 32) * padded + 64 * 36 : (32 + 16) * padded + 32 * 20;
    gpu.launch(
        "attention_prefill_" + suffix(kind) + (narrow ? "_128" : "_256"),
        new Grid(batch.tileCount(), spec.heads(), narrow ? 1 : 2, THREADS, Float.BYTES * floats),
        out,
        lse,
        in.q,
        in.k,
        in.v,
        batch.tilesAddress(),
        batch.runsAddress(),
        spec.layer(),
        spec.heads(),
        spec.keyValueHeads(),
        spec.headDim(),
        spec.scale(),
        spec.window(),
        seed(spec),
        threshold(spec),
        factor(spec));
  }

  private void prefillOnMatrixUnits(
      CudaTensor out, CudaTensor lse, Inputs in, CudaBatch batch, AttentionSpec spec) {
    gpu.launch(
        "attention_prefill_mma_" + matrixUnitHead(spec),
        Grid.plane(batch.tileCount(), spec.heads(), THREADS),
        out,
        lse,
        in.q,
        batch.tilesAddress(),
        batch.runsAddress(),
        spec.layer(),
        spec.heads(),
        spec.keyValueHeads(),
        spec.headDim(),
        spec.scale(),
        spec.window());
  }

  /** Returns the head that the kernels for matrix units pad to; 0 if they cannot serve it. */
  private static int matrixUnitHead(AttentionSpec spec) {
    for (int head : MATRIX_UNIT_HEADS) {
      if (spec.headDim() <= head && spec.headDim() % 8 == 0) {
        return head;
      }
    }
    return 0;
  }

  /**
   * Computes gradients; see {@link dev.llama.spi.GradOps#attention}.
   *
   * @param gradients of queries, keys and values: the results
   * @param dOut [rows, heads * headDim]
   * @param out [rows, heads * headDim]
   * @param lse [rows, heads]
   * @param in queries, keys, values
   * @param batch without caches
   * @param spec heads, scale, window, dropout
   */
  void gradient(
      Inputs gradients,
      CudaTensor dOut,
      CudaTensor out,
      CudaTensor lse,
      Inputs in,
      CudaBatch batch,
      AttentionSpec spec) {
    int padded = padded(spec);
    int wide = Float.BYTES * ((2 * 32 + 16) * padded + 32 * 20);
    int narrow = Float.BYTES * ((2 * 64 + 32) * padded + 64 * 36);
    boolean isNarrow = spec.headDim() <= NARROW_HEAD && narrow <= gpu.device().sharedMemory();
    String suffix = isNarrow ? "_128" : "_256";
    int shared = isNarrow ? narrow : wide;
    int parts = isNarrow ? 1 : 2;
    int count = Math.multiplyExact(batch.rows(), spec.heads());
    long delta = gpu.scratch((long) count * Float.BYTES);
    gpu.launch(
        "attention_delta",
        Grid.line(Grid.ceil(count, ROWS_PER_DELTA_BLOCK), THREADS),
        delta,
        dOut,
        out,
        count,
        spec.headDim());
    Object[] common = {
      dOut,
      delta,
      lse,
      in.q,
      in.k,
      in.v,
      batch.tilesAddress(),
      batch.runsAddress(),
      spec.heads(),
      spec.keyValueHeads(),
      spec.headDim(),
      spec.scale(),
      spec.window(),
      spec.layer(),
      seed(spec),
      threshold(spec),
      factor(spec)
    };
    gpu.launch(
        "attention_grad_q" + suffix,
        new Grid(batch.tileCount(), spec.heads(), parts, THREADS, shared),
        joined(new Object[] {gradients.q}, common));
    gpu.launch(
        "attention_grad_kv" + suffix,
        new Grid(batch.tileCount(), spec.keyValueHeads(), parts, THREADS, shared),
        joined(new Object[] {gradients.k, gradients.v}, common));
  }

  private static Object[] joined(Object[] first, Object[] rest) {
    Object[] all = new Object[first.length + rest.length];
    System.arraycopy(first, 0, all, 0, first.length);
    System.arraycopy(rest, 0, all, first.length, rest.length);
    return all;
  }

  private static CudaTensor seed(AttentionSpec spec) {
    return spec.dropout().isPresent()
        ? Checks.integers("attention", "the seed of dropout", spec.dropout().get().seed(), 2)
        : null;
  }

  private static int threshold(AttentionSpec spec) {
    return spec.dropout().map(AttentionDropout::threshold).orElse(0);
  }

  private static float factor(AttentionSpec spec) {
    return spec.dropout().map(AttentionDropout::factor).orElse(1f);
  }

  /** Width of a head in shared memory: whole warps, and a shift against bank conflicts. */
  private static int padded(AttentionSpec spec) {
    return (spec.headDim() + 31) / 32 * 32 + 4;
  }

  private static String suffix(CudaBatch.Kind kind) {
    return kind.name().toLowerCase(Locale.ROOT);
  }
}
