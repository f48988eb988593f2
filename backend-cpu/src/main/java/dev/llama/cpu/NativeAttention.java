package dev.llama.cpu;

import dev.llama.spi.AttentionSpec;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;

/**
 * Attention of single rows by the kernels in C, which walk the pages of a cache without copying
 * them. What training needs besides (the logarithm of the sums, dropout) is left to another way.
 */
final class NativeAttention implements Attention {
  private static final int BLOCKS = 5; // slot of the table of blocks
  private static final int BLOCK_BYTES = 3 * Long.BYTES;

  private final WorkerPool pool;
  private final Attention other;

  /**
   * Puts it together. The library must be loaded.
   *
   * @param pool threads
   * @param other attends where {@code lse} or dropout is wanted
   */
  NativeAttention(WorkerPool pool, Attention other) {
    this.pool = pool;
    this.other = other;
  }

  @Override
  public void attend(
      CpuTensor out,
      CpuTensor lse,
      CpuTensor q,
      KeyValues source,
      CpuBatch.Run run,
      AttentionSpec spec) {
    if (lse != null || spec.dropout().isPresent()) {
      other.attend(out, lse, q, source, run, spec);
      return;
    }
    int heads = spec.keyValueHeads();
    int tasks = Math.multiplyExact(run.count, heads);
    int end = run.firstPosition + run.count;
    int begin = firstVisible(source, spec, run.firstPosition);
    long each = 2L * (end - begin) * spec.headDim() * (spec.heads() / heads);
    pool.parallelFor(
        tasks,
        Work.grain(pool, tasks, each),
        (from, to, scratch) -> {
          ByteBuffer blocks = blocks(source, begin, end, scratch);
          for (int i = from; i < to; i++) {
            // Later rows have more to attend to: they come first, or they would be waited for.
            int row = run.count - 1 - i / heads;
            attend(out, q, source, run, spec, begin, row, i % heads, blocks);
          }
        });
    // The addresses of their memory were in use.
    Reference.reachabilityFence(source);
    Reference.reachabilityFence(out);
    Reference.reachabilityFence(q);
  }

  private static int firstVisible(KeyValues source, AttentionSpec spec, int position) {
    return spec.window() == 0
        ? source.begin()
        : Math.max(source.begin(), position - spec.window() + 1);
  }

  /** Writes where the keys and values of positions are, as the kernels want it. */
  private static ByteBuffer blocks(KeyValues source, int begin, int end, Scratch scratch) {
    int count = 0;
    for (int at = begin; at < end; at = source.blockEnd(at, end)) {
      count++;
    }
    ByteBuffer table = scratch.direct(BLOCKS, Math.multiplyExact(count, BLOCK_BYTES));
    int entry = 0;
    for (int at = begin, next; at < end; at = next) {
      next = source.blockEnd(at, end);
      table.putLong(entry, address(source, false, at));
      table.putLong(entry + Long.BYTES, address(source, true, at));
      table.putLong(entry + 2 * Long.BYTES, next - at);
      entry += BLOCK_BYTES;
    }
    return table;
  }

  private static long address(KeyValues source, boolean values, int position) {
    return NativeLibrary.address(source.segment(values, position))
        + (long) source.index(values, 0, position) * source.type().blockBytes();
  }

  private static void attend(
      CpuTensor out,
      CpuTensor q,
      KeyValues source,
      CpuBatch.Run run,
      AttentionSpec spec,
      int begin,
      int row,
      int keyHead,
      ByteBuffer blocks) {
    int group = spec.heads() / spec.keyValueHeads();
    int position = run.firstPosition + row;
    int first = firstVisible(source, spec, position);
    long offset = (long) keyHead * group * spec.headDim() * Float.BYTES;
    long results = address(out, run.firstRow + row) + offset;
    long queries = address(q, run.firstRow + row) + offset;
    long headOffset = source.index(false, keyHead, first) - source.index(false, 0, first);
    long table = NativeLibrary.address(blocks);
    int size = spec.headDim();
    int skip = first - begin;
    int count = position + 1 - first;
    int stride = source.stride();
    int format = NativeKernels.format(source.type());
    NativeKernels.attention(
        format,
        results,
        queries,
        group,
        size,
        table,
        skip,
        count,
        headOffset,
        stride,
        spec.scale());
  }

  private static long address(CpuTensor tensor, long row) {
    return NativeLibrary.address(tensor.segment(row)) + tensor.offset(row);
  }
}
