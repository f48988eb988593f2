package dev.llama.cpu;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.conformance.BackendConformance;
import java.util.Optional;
import org.junit.jupiter.api.BeforeAll;

/** The Vector API keeps every promise of the SPI, where Java was started with it. */
class VectorConformanceTest extends BackendConformance {
  @BeforeAll
  static void requireTheApi() {
    Optional<String> missing = VectorTier.missing();
    assumeTrue(missing.isEmpty(), () -> missing.orElse(""));
  }

  @Override
  protected Backend open() {
    return new CpuBackendProvider().open(new BackendOptions(Optional.of("vector"), 3));
  }
}
