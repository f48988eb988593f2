package dev.llama.cpu;

import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.conformance.BackendConformance;
import java.util.Optional;

/** Plain Java keeps every promise of the SPI. */
class ReferenceConformanceTest extends BackendConformance {
  @Override
  protected Backend open() {
    return new CpuBackendProvider().open(new BackendOptions(Optional.of("reference"), 3));
  }
}
