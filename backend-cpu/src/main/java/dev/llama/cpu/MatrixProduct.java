package dev.llama.cpu;

/** One way to multiply matrices. Shapes and types are checked before. */
interface MatrixProduct {
  /**
   * Computes {@code out (=|+=) x · weightᵀ}.
   *
   * @param out F32 [rows, outputs]
   * @param x F32 [rows, inputs]
   * @param weight [outputs, inputs], of any type that has a codec
   * @param add whether to add to what is there
   */
  void multiply(CpuTensor out, CpuTensor x, CpuTensor weight, boolean add);

  /**
   * Computes {@code outs[i] = x · weights[i]ᵀ} for every i. Better than one by one where {@code x}
   * is prepared or threads are woken for each.
   *
   * @param outs F32 [rows, outputs of i]
   * @param x F32 [rows, inputs]
   * @param weights [outputs of i, inputs], of any types that have codecs
   */
  default void multiplyAll(CpuTensor[] outs, CpuTensor x, CpuTensor[] weights) {
    for (int i = 0; i < outs.length; i++) {
      multiply(outs[i], x, weights[i], false);
    }
  }
}
