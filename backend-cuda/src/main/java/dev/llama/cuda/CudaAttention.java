package dev.llama.cuda;

import dev.llama.InvalidInputException;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.KvShape;
import java.util.EnumSet;
import java.util.Locale;
import java.util.Set;

/**
 * Attention: appends to the caches, then attends, rows of short runs by kernels that split the
 * context over the device, and long runs by tiles of rows. For who has entered the {@link Gpu}.
 */
final class CudaAttention {
  /** Query heads that a block of the decode kernel serves together. */
  private static final int HEADS_PER_BLOCK = 4;

  /** Largest head of the kernels whose blocks serve whole tiles. */
  private static final int NARROW_HEAD = 128;

  private static final int MAX_SPLITS = 64;
  private static final int ATTENTION_THREADS = 128;

  private final Gpu gpu;

  CudaAttention(Gpu gpu) {
    this.gpu = gpu;
  }

  /** Refuses a cache that has another shape, was closed, or has lost its room. */
  static void checkCache(CudaBatch.Run run, AttentionSpec spec) {
    if (run.cache() == null) {
      return;
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
   * @param q [rows, heads * headDim]
   * @param k [rows, keyValueHeads * headDim]
   * @param v [rows, keyValueHeads * headDim]
   * @param batch whose caches have been checked
   * @param spec heads, scale, window, layer
   */
  void attend(
      CudaTensor out,
      CudaTensor lse,
      CudaTensor q,
      CudaTensor k,
      CudaTensor v,
      CudaBatch batch,
      AttentionSpec spec) {
    Set<CudaBatch.Kind> kinds = EnumSet.noneOf(CudaBatch.Kind.class);
    batch.runs().forEach(run -> kinds.add(CudaBatch.Kind.of(run.cache())));
    for (CudaBatch.Kind kind : kinds) {
      if (kind != CudaBatch.Kind.ROWS) {
        append(kind, k, v, batch, spec);
      }
    }
    if (batch.decodeCount() > 0) {
      decode(out, lse, q, k, v, batch, spec, kinds);
    }
    if (batch.tileCount() > 0) {
      for (CudaBatch.Kind kind : kinds) {
        prefill(kind, out, lse, q, k, v, batch, spec);
      }
    }
  }

  private void append(
      CudaBatch.Kind kind, CudaTensor k, CudaTensor v, CudaBatch batch, AttentionSpec spec) {
    gpu.launch(
        "kv_append_" + suffix(kind),
        Grid.plane(batch.rows(), Math.min(Grid.ceil(k.width(), Grid.THREADS), 64), Grid.THREADS),
        k,
        v,
        batch.positions(),
        batch.rowRunsAddress(),
        batch.runsAddress(),
        spec.layer(),
        spec.keyValueHeads(),
        spec.headDim());
  }

  private void decode(
      CudaTensor out,
      CudaTensor lse,
      CudaTensor q,
      CudaTensor k,
      CudaTensor v,
      CudaBatch batch,
      AttentionSpec spec,
      Set<CudaBatch.Kind> kinds) {
    int rows = batch.decodeCount();
    int group = spec.heads() / spec.keyValueHeads();
    long blocks = spec.keyValueHeads() * Grid.ceil(group, HEADS_PER_BLOCK);
    int splits = splits(blocks * rows);
    long parts =
        gpu.scratch((long) rows * spec.heads() * splits * (spec.headDim() + 2) * Float.BYTES);
    for (CudaBatch.Kind kind : kinds) {
      gpu.launch(
          "attention_decode_" + suffix(kind),
          new Grid(splits, blocks, rows, ATTENTION_THREADS, 0),
          parts,
          q,
          k,
          v,
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
        Grid.plane(spec.heads(), rows, ATTENTION_THREADS),
        out,
        lse,
        parts,
        batch.decodeRowsAddress(),
        splits,
        spec.headDim());
  }

  private void prefill(
      CudaBatch.Kind kind,
      CudaTensor out,
      CudaTensor lse,
      CudaTensor q,
      CudaTensor k,
      CudaTensor v,
      CudaBatch batch,
      AttentionSpec spec) {
    boolean narrow = spec.headDim() <= NARROW_HEAD;
    gpu.launch(
        "attention_prefill_" + suffix(kind) + (narrow ? "_128" : "_256"),
        new Grid(
            batch.tileCount(),
            spec.heads(),
            narrow ? 1 : 2,
            ATTENTION_THREADS,
            prefillSharedBytes(spec.headDim())),
        out,
        lse,
        q,
        k,
        v,
        batch.tilesAddress(),
        batch.runsAddress(),
        spec.layer(),
        spec.heads(),
        spec.keyValueHeads(),
        spec.headDim(),
        spec.scale(),
        spec.window());
  }

  /** Queries, keys or values, and probabilities of a tile; rows padded against bank conflicts. */
  private static int prefillSharedBytes(int headDim) {
    int padded = (headDim + 31) / 32 * 32 + 4;
    return headDim <= NARROW_HEAD
        ? Float.BYTES * (64 * padded + 32 * padded + 64 * 36)
        : Float.BYTES * (32 * padded + 16 * padded + 32 * 20);
  }

  /** So many that every multiprocessor has two blocks, whatever the length of the context. */
  private int splits(long blocks) {
    long wanted = 2L * gpu.device().multiprocessors() / blocks;
    return (int) Math.max(1, Math.min(MAX_SPLITS, wanted));
  }

  private static String suffix(CudaBatch.Kind kind) {
    return kind.name().toLowerCase(Locale.ROOT);
  }
}
