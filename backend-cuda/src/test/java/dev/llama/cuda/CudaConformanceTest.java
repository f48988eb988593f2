package dev.llama.cuda;

import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.conformance.BackendConformance;

/** Every promise of the SPI, through the emulator. */
class CudaConformanceTest extends BackendConformance {
  @Override
  protected Backend open() {
    Emulator.require();
    return new CudaBackendProvider().open(BackendOptions.defaults());
  }
}
