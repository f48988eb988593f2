package dev.llama.cpu;

import dev.llama.spi.RopeTable;
import dev.llama.spi.Tensor;

/** One way to do what works on single rows of activations. Shapes and types are checked before. */
class RowOps {
  private final Norms norms;
  private final Rotary rotary;
  private final Elementwise elementwise;
  private final Rows rows;

  /**
   * In plain Java.
   *
   * @param pool threads
   */
  RowOps(WorkerPool pool) {
    norms = new Norms(pool);
    rotary = new Rotary(pool);
    elementwise = new Elementwise(pool);
    rows = new Rows(pool);
  }

  /** As {@link Rows#select}. */
  void embed(CpuTensor out, CpuTensor table, CpuTensor indices) {
    rows.select(out, table, indices);
  }

  /** As {@link Rows#argmax}. */
  void argmax(CpuTensor out, CpuTensor x) {
    rows.argmax(out, x);
  }

  /** As {@link Norms#rms}. */
  void rmsNorm(CpuTensor out, CpuTensor rstd, CpuTensor x, CpuTensor weight, float eps) {
    norms.rms(out, rstd, x, weight, eps);
  }

  /** As {@link Norms#layer}. */
  void layerNorm(
      CpuTensor out,
      CpuTensor mean,
      CpuTensor rstd,
      CpuTensor x,
      CpuTensor weight,
      CpuTensor bias,
      float eps) {
    norms.layer(out, mean, rstd, x, weight, bias, eps);
  }

  /** As {@link Rotary#rotate}, which also checks. */
  void rope(Tensor q, Tensor k, Tensor positions, RopeTable table) {
    rotary.rotate("rope", q, k, positions, table, false);
  }

  /** The inverse rotation, for gradients. */
  void ropeBack(Tensor q, Tensor k, Tensor positions, RopeTable table) {
    rotary.rotate("gradient of rope", q, k, positions, table, true);
  }

  /** As {@link Elementwise#add}. */
  void add(CpuTensor x, CpuTensor y) {
    elementwise.add(x, y);
  }

  /** As {@link Elementwise#addBias}. */
  void addBias(CpuTensor x, CpuTensor bias) {
    elementwise.addBias(x, bias);
  }

  /** As {@link Elementwise#swiGlu}. */
  void swiGlu(CpuTensor out, CpuTensor gate, CpuTensor up) {
    elementwise.swiGlu(out, gate, up);
  }

  /** As {@link Elementwise#gelu}. */
  void gelu(CpuTensor out, CpuTensor x) {
    elementwise.gelu(out, x);
  }
}
