package dev.llama.cpu;

import dev.llama.spi.AttentionSpec;

/** One way to attend. Keys and values of the rows are in the caches already. */
interface Attention {
  /**
   * Attends for the rows of one run.
   *
   * @param out F32 [rows, heads * headDim]; rows of other runs are left alone
   * @param lse F32 [rows, heads] or null
   * @param q F32 [rows, heads * headDim]
   * @param source the run's keys and values
   * @param run its rows and positions
   * @param spec heads, scale, window
   */
  void attend(
      CpuTensor out,
      CpuTensor lse,
      CpuTensor q,
      KeyValues source,
      CpuBatch.Run run,
      AttentionSpec spec);
}
