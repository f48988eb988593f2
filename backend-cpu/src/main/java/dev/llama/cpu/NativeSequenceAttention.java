package dev.llama.cpu;

import dev.llama.spi.AttentionSpec;
import java.lang.ref.Reference;

/**
 * Attention of sequences that are rows of the batch, as in training, and its gradient, by the
 * kernels in C. What is in caches, what wants no logarithms of sums, and rows that do not lie side
 * by side, are left to other ways.
 */
final class NativeSequenceAttention implements Attention, AttentionGradient {
  private final WorkerPool pool;
  private final Attention other;
  private final AttentionGradient otherGradient;
  private final Workspace workspace = new Workspace();

  /**
   * Puts it together. The library must be loaded.
   *
   * @param pool threads
   * @param other attends in the other cases
   */
  NativeSequenceAttention(WorkerPool pool, Attention other) {
    this.pool = pool;
    this.other = other;
    otherGradient = new JavaAttentionGradient(pool);
  }

  @Override
  public void append(CpuTensor k, CpuTensor v, CpuBatch.Run run, AttentionSpec spec) {
    other.append(k, v, run, spec);
  }

  @Override
  public void attend(
      CpuTensor out,
      CpuTensor lse,
      CpuTensor q,
      CpuTensor k,
      CpuTensor v,
      CpuBatch.Run run,
      AttentionSpec spec) {
    if (run.cache != null || lse == null || !SequenceTable.isDense(run, out, lse, q, k, v)) {
      other.attend(out, lse, q, k, v, run, spec);
      return;
    }
    AttentionTensors tensors = new AttentionTensors(q, k, v, out, lse, null, null, null, null);
    int heads = spec.keyValueHeads();
    int group = spec.heads() / heads;
    int blocks = (run.count - 1) / NativeKernels.QUERY_BLOCK + 1;
    pool.parallelFor(
        blocks * spec.heads(),
        1,
        (from, to, scratch) -> {
          long work = SequenceTable.work(spec, scratch);
          for (int i = from; i < to; i++) {
            int head = i % spec.heads();
            long table = SequenceTable.write(tensors, 0, run, spec, head / group, scratch);
            // Later rows have more to attend to: they come first, or they would be waited for.
            NativeKernels.sequenceAttention(
                table, head % group, blocks - 1 - i / spec.heads(), work);
          }
        });
    Reference.reachabilityFence(tensors); // the addresses of its memory were in use
  }

  @Override
  public void differentiate(AttentionTensors tensors, CpuBatch batch, AttentionSpec spec) {
    AttentionTensors t = tensors;
    for (int i = 0; i < batch.runs(); i++) {
      if (t.dQ.rowsInSegment(0) < batch.rows()
          || !SequenceTable.isDense(
              batch.run(i), t.q, t.k, t.v, t.out, t.lse, t.dOut, t.dQ, t.dK, t.dV)) {
        otherGradient.differentiate(tensors, batch, spec);
        return;
      }
    }
    int heads = spec.keyValueHeads();
    int shares = JavaAttentionGradient.shares(Math.multiplyExact(batch.runs(), heads));
    long size = (long) batch.rows() * t.dQ.width();
    // One share writes dQ where it is wanted.
    Segment sums =
        shares == 1 ? null : workspace.take(shares * size, "sums of attention's gradient");
    long address = NativeLibrary.address(sums == null ? t.dQ.segment(0) : sums);
    long first = sums == null ? t.dQ.offset(0) : 0;
    pool.parallelFor(
        batch.runs() * heads * shares,
        1,
        (from, to, scratch) -> {
          long work = SequenceTable.work(spec, scratch);
          for (int i = from; i < to; i++) {
            int share = i % shares;
            CpuBatch.Run run = batch.run(i / shares / heads);
            long results = address + first + 4 * share * size;
            long table = SequenceTable.write(t, results, run, spec, i / shares % heads, scratch);
            NativeKernels.sequenceGradient(table, share, shares, work);
          }
        });
    if (sums != null) {
      JavaAttentionGradient.addShares(pool, t.dQ, sums, shares);
      workspace.give(sums);
    }
    Reference.reachabilityFence(tensors); // the addresses of its memory were in use
  }
}
