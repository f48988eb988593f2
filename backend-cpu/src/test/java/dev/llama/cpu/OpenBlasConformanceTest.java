package dev.llama.cpu;

import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.conformance.BackendConformance;
import java.util.Optional;

/** OpenBLAS keeps every promise of the SPI. */
class OpenBlasConformanceTest extends BackendConformance {
  @Override
  protected Backend open() {
    return new CpuBackendProvider().open(new BackendOptions(Optional.of("openblas"), 3));
  }
}
