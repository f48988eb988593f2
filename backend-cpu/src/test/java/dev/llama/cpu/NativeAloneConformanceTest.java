package dev.llama.cpu;

import dev.llama.spi.Backend;
import dev.llama.spi.GradOps;
import dev.llama.spi.conformance.BackendConformance;

/** The native kernels keep every promise of the SPI for any number of rows, without OpenBLAS. */
class NativeAloneConformanceTest extends BackendConformance {
  @Override
  protected Backend open() {
    NativeLoader.load();
    WorkerPool pool = new WorkerPool(3);
    Attention attention = new NativeAttention(pool, new JavaAttention(pool));
    CpuOps ops = new CpuOps(pool, new NativeMatrixProduct(pool, null), attention);
    GradOps grad = new CpuGradOps(pool, new JavaGradProduct(pool), new JavaAttentionGradient(pool));
    return new CpuBackend("native kernels alone", pool, ops, grad);
  }
}
