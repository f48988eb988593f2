package dev.llama.cpu;

import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.conformance.BackendConformance;
import java.util.Optional;

/** The native kernels, with OpenBLAS for large products, keep every promise of the SPI. */
class NativeConformanceTest extends BackendConformance {
  @Override
  protected Backend open() {
    return new CpuBackendProvider().open(new BackendOptions(Optional.of("native"), 3));
  }
}
