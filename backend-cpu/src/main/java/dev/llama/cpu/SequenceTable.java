package dev.llama.cpu;

import dev.llama.spi.AttentionDropout;
import dev.llama.spi.AttentionSpec;
import java.nio.ByteBuffer;

/**
 * What the kernels of {@code grad_attention.c} are told of a sequence and one of its key heads: the
 * {@code struct sequence} there.
 */
final class SequenceTable {
  private static final int BYTES = 24 * Long.BYTES;
  private static final int TABLE = 5; // slots of scratch
  private static final int WORK = 6;

  private SequenceTable() {}

  /**
   * Returns whether the rows of a run lie side by side in each tensor, as the kernels need it.
   *
   * @param run of the batch
   * @param tensors F32 [rows of the batch, any width]; null ones are passed over
   */
  static boolean isDense(CpuBatch.Run run, CpuTensor... tensors) {
    for (CpuTensor tensor : tensors) {
      if (tensor != null && tensor.rowsInSegment(run.firstRow) < run.count) {
        return false;
      }
    }
    return true;
  }

  /**
   * Writes the table for one key head.
   *
   * @param tensors its gradients may be null
   * @param queryGradients address of dQ's first row of the batch; 0 without gradients
   * @param run of the batch
   * @param spec heads, scale, window, dropout
   * @param keyHead from 0
   * @param scratch of this thread
   * @return address of the table
   */
  static long write(
      AttentionTensors tensors,
      long queryGradients,
      CpuBatch.Run run,
      AttentionSpec spec,
      int keyHead,
      Scratch scratch) {
    int group = spec.heads() / spec.keyValueHeads();
    long queryRow = (long) spec.heads() * spec.headDim();
    long queryAt = 4L * keyHead * group * spec.headDim();
    long keyAt = 4L * keyHead * spec.headDim();
    ByteBuffer table = scratch.direct(TABLE, BYTES);
    table.clear();
    table.putLong(address(tensors.q, run) + queryAt);
    table.putLong(address(tensors.k, run) + keyAt);
    table.putLong(address(tensors.v, run) + keyAt);
    table.putLong(address(tensors.out, run) + queryAt);
    table.putLong(address(tensors.lse, run) + 4L * keyHead * group);
    table.putLong(address(tensors.dOut, run) + queryAt);
    table.putLong(queryGradients + 4 * run.firstRow * queryRow + queryAt);
    table.putLong(address(tensors.dK, run) + keyAt);
    table.putLong(address(tensors.dV, run) + keyAt);
    table.putLong(queryRow);
    table.putLong((long) spec.keyValueHeads() * spec.headDim());
    table.putLong(spec.heads());
    table.putLong(group);
    table.putLong(spec.headDim());
    table.putLong(run.count);
    table.putLong(spec.window());
    AttentionDropout dropout = spec.dropout().orElse(null);
    CpuTensor seed = dropout == null ? null : (CpuTensor) dropout.seed();
    table.putLong(dropout == null ? 0 : 1);
    table.putLong(dropout == null ? 0 : seed.getInt(0));
    table.putLong(dropout == null ? 0 : seed.getInt(1));
    table.putLong(spec.layer());
    table.putLong((long) keyHead * group);
    table.putLong(run.firstRow);
    table.putLong(dropout == null ? 0 : dropout.threshold());
    table.putFloat(spec.scale());
    table.putFloat(dropout == null ? 1 : dropout.factor());
    return NativeLibrary.address(table);
  }

  private static long address(CpuTensor tensor, CpuBatch.Run run) {
    return tensor == null
        ? 0
        : NativeLibrary.address(tensor.segment(run.firstRow)) + tensor.offset(run.firstRow);
  }

  /** Returns where a thread's work space for a head of a size begins. */
  static long work(AttentionSpec spec, Scratch scratch) {
    return NativeLibrary.address(scratch.direct(WORK, scratchBytes(spec.headDim())));
  }

  /** Returns the work space of the kernels for a head of a size. */
  static int scratchBytes(int headDim) {
    return (headDim + 31) / 32 * 32 * 10500 + 400000;
  }
}
