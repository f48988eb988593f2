package dev.llama.cli;

import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class InterruptTest {
  @Test
  void firstInterruptRunsTheActionAndLeavesTheProcessAlive() throws IOException {
    assumeFalse(interruptsAreIgnored(), "started with interrupts ignored");
    CountDownLatch acted = new CountDownLatch(1);
    boolean[] worked = new boolean[1];
    Interrupt.run(
        acted::countDown,
        () -> {
          raise();
          try {
            worked[0] = acted.await(30, TimeUnit.SECONDS);
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
        });
    assertTrue(worked[0]);
  }

  /** Sends SIGINT to this process; by reflection, for the same reason as in Interrupt. */
  private static void raise() {
    try {
      Class<?> signal = Class.forName("sun.misc.Signal");
      Object interrupt = signal.getConstructor(String.class).newInstance("INT");
      signal.getMethod("raise", signal).invoke(null, interrupt);
    } catch (ReflectiveOperationException e) {
      throw new AssertionError(e);
    }
  }

  /** As in a job that a script started in the background. */
  private static boolean interruptsAreIgnored() throws IOException {
    Path status = Path.of("/proc/self/status");
    if (!Files.exists(status)) {
      return false;
    }
    return Files.readAllLines(status).stream()
        .filter(line -> line.startsWith("SigIgn:"))
        .anyMatch(line -> (Long.parseUnsignedLong(line.substring(7).trim(), 16) & 2) != 0);
  }
}
