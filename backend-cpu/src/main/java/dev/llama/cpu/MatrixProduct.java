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
}
