package dev.llama.cpu;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.conformance.BackendConformance;
import java.util.Optional;

/** The Vector API keeps every promise of the SPI, where Java was started with it. */
class VectorConformanceTest extends BackendConformance {
  @Override
  protected Backend open() {
    Optional<String> missing = VectorTier.missing();
    assumeTrue(missing.isEmpty(), () -> missing.orElse(""));
    return new CpuBackendProvider().open(new BackendOptions(Optional.of("vector"), 3));
  }
}
