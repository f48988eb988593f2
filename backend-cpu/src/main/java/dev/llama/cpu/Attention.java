package dev.llama.cpu;

import dev.llama.spi.AttentionSpec;

/** One way to attend. */
interface Attention {
  /**
   * Puts the keys and values of a run's rows into its cache.
   *
   * @param k F32 [rows, keyValueHeads * headDim]
   * @param v F32 [rows, keyValueHeads * headDim]
   * @param run its rows, and a cache with room for their positions
   * @param spec heads and layer
   */
  void append(CpuTensor k, CpuTensor v, CpuBatch.Run run, AttentionSpec spec);

  /**
   * Attends for the rows of one run. Their keys and values are in the cache already, if there is
   * one.
   *
   * @param out F32 [rows, heads * headDim]; rows of other runs are left alone
   * @param lse F32 [rows, heads] or null
   * @param q F32 [rows, heads * headDim]
   * @param k F32 [rows, keyValueHeads * headDim]
   * @param v F32 [rows, keyValueHeads * headDim]
   * @param run its rows and positions
   * @param spec heads, scale, window
   */
  void attend(
      CpuTensor out,
      CpuTensor lse,
      CpuTensor q,
      CpuTensor k,
      CpuTensor v,
      CpuBatch.Run run,
      AttentionSpec spec);
}
