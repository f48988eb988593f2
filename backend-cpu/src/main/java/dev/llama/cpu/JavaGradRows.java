package dev.llama.cpu;

/** In plain Java. */
final class JavaGradRows implements GradRows {
  private final NormGradients norms;
  private final ElementwiseGradients elementwise;
  private final Loss loss;
  private final Optimizer optimizer;

  JavaGradRows(WorkerPool pool, Workspace workspace) {
    norms = new NormGradients(pool, workspace);
    elementwise = new ElementwiseGradients(pool);
    loss = new Loss(pool);
    optimizer = new Optimizer(pool);
  }

  @Override
  public void rmsNorm(
      CpuTensor dX,
      CpuTensor dWeight,
      CpuTensor dOut,
      CpuTensor x,
      CpuTensor weight,
      CpuTensor rstd) {
    norms.rms(dX, dWeight, dOut, x, weight, rstd);
  }

  @Override
  public void swiGlu(CpuTensor dGate, CpuTensor dUp, CpuTensor dOut, CpuTensor gate, CpuTensor up) {
    elementwise.swiGlu(dGate, dUp, dOut, gate, up);
  }

  @Override
  public void crossEntropy(
      CpuTensor rowLoss, CpuTensor dLogits, CpuTensor logits, CpuTensor targets, CpuTensor scale) {
    loss.crossEntropy(rowLoss, dLogits, logits, targets, scale);
  }

  @Override
  public void sumOfSquares(CpuTensor sum, CpuTensor x) {
    optimizer.sumOfSquares(sum, x);
  }

  @Override
  public void adamW(
      CpuTensor weight,
      CpuTensor m,
      CpuTensor v,
      CpuTensor gradient,
      CpuTensor step,
      Optimizer.Constants constants) {
    optimizer.adamW(weight, m, v, gradient, step, constants);
  }
}
