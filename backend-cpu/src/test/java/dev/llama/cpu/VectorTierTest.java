package dev.llama.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.llama.BackendException;
import dev.llama.DType;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.conformance.StoredWeight;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.EnumSource.Mode;

/** The Vector API is used where Java was started with it; elsewhere the flag is named. */
class VectorTierTest {
  private static final BackendOptions VECTOR = new BackendOptions(Optional.of("vector"), 1);
  private static final boolean PRESENT =
      ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();

  @Test
  void runsOrNamesTheFlag() {
    assertEquals(PRESENT, VectorTier.missing().isEmpty(), VectorTier.missing().toString());
    if (PRESENT) {
      try (Backend backend = new CpuBackendProvider().open(VECTOR)) {
        assertEquals("cpu:vector — Java's Vector API; 1 thread", backend.description());
      }
    } else {
      BackendException e =
          assertThrows(BackendException.class, () -> new CpuBackendProvider().open(VECTOR));
      assertTrue(e.getMessage().contains("--add-modules jdk.incubator.vector"), e.getMessage());
    }
  }

  /** One row takes another way than several; both must come to the same. */
  @ParameterizedTest
  @EnumSource(
      mode = Mode.MATCH_ANY,
      names = {"F32", "F16", "BF16", "Q.*"})
  void oneRowAndSeveralAgree(DType type) {
    assumeTrue(PRESENT, "no Vector API");
    StoredWeight weight = StoredWeight.random(new Random(3), type, 9, 768);
    try (Backend backend = new CpuBackendProvider().open(VECTOR)) {
      float[] one = ProductOf.rows(backend, weight, 1);
      float[] four = ProductOf.rows(backend, weight, 4);
      for (int row = 0; row < 4; row++) {
        for (int i = 0; i < 9; i++) {
          assertEquals(one[i], four[row * 9 + i], 2e-5 * (1 + Math.abs(one[i])), type + " " + i);
        }
      }
    }
  }
}
