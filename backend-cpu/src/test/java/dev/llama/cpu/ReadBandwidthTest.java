package dev.llama.cpu;

import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The bandwidth is measured whatever the size: also of less than the threads can share. */
class ReadBandwidthTest {
  @ParameterizedTest
  @ValueSource(longs = {1, 100_001, (5 << 20) + 1})
  void anySizeIsMeasured(long bytes) {
    try (WorkerPool pool = new WorkerPool(2)) {
      double speed = ReadBandwidth.measure(pool, bytes).orElseThrow();
      assertTrue(speed > 0 && Double.isFinite(speed), speed + " bytes/s");
    }
  }
}
