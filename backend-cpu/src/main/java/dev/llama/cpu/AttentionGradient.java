package dev.llama.cpu;

import dev.llama.spi.AttentionSpec;

/** One way to compute the gradient of attention, for runs without caches. */
interface AttentionGradient {
  /**
   * Computes dQ, dK and dV of all rows.
   *
   * @param tensors what is read and written
   * @param batch runs of rows, each a sequence of its own
   * @param spec heads, scale, window, dropout
   */
  void differentiate(AttentionTensors tensors, CpuBatch batch, AttentionSpec spec);
}
