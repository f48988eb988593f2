package dev.llama.cpu;

/**
 * One way to compute what training does to rows and to elements by themselves. Shapes are checked
 * before; they are as in {@link dev.llama.spi.GradOps}.
 */
interface GradRows {
  void rmsNorm(
      CpuTensor dX,
      CpuTensor dWeight,
      CpuTensor dOut,
      CpuTensor x,
      CpuTensor weight,
      CpuTensor rstd);

  void swiGlu(CpuTensor dGate, CpuTensor dUp, CpuTensor dOut, CpuTensor gate, CpuTensor up);

  void crossEntropy(
      CpuTensor loss, CpuTensor dLogits, CpuTensor logits, CpuTensor targets, CpuTensor scale);

  void sumOfSquares(CpuTensor sum, CpuTensor x);

  void adamW(
      CpuTensor weight,
      CpuTensor m,
      CpuTensor v,
      CpuTensor gradient,
      CpuTensor step,
      Optimizer.Constants constants);
}
