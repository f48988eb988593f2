package dev.llama.cpu;

/** One way to compute the gradients of matrix products. Shapes are checked before. */
interface GradProduct {
  /**
   * Gradient of the inputs: {@code dX (=|+=) dOut · weight}.
   *
   * @param dX F32 [rows, inputs]
   * @param dOut F32 [rows, outputs]
   * @param weight [outputs, inputs], of any type that has a codec
   * @param add whether to add to what is there
   */
  void inputs(CpuTensor dX, CpuTensor dOut, CpuTensor weight, boolean add);

  /**
   * Gradient of the weights: {@code dWeight += dOutᵀ · x}.
   *
   * @param dWeight F32 [outputs, inputs], added to
   * @param dOut F32 [rows, outputs]
   * @param x F32 [rows, inputs]
   */
  void weights(CpuTensor dWeight, CpuTensor dOut, CpuTensor x);
}
