package dev.llama.spi;

import java.util.Objects;
import java.util.Optional;

/**
 * Whether a backend can be used on this machine.
 *
 * @param score 0 if not, else how good it is compared with others: plain Java 10, BLAS 50, native
 *     kernels 100, a GPU 1000
 * @param reason why: the device and libraries found, or what is missing
 * @param loss if something faster would be possible: what is lost, and how to get it
 */
public record Availability(int score, String reason, Optional<String> loss) {
  /**
   * Asks a provider. One that breaks its promise not to throw is unusable, and hides no other.
   *
   * @param provider any
   * @return what it says of itself, or why it could not
   */
  public static Availability of(BackendProvider provider) {
    try {
      return Objects.requireNonNull(provider.probe(), "availability");
    } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
      return unusable("its probe failed: " + e);
    }
  }

  /**
   * Cannot be used.
   *
   * @param reason what is missing
   * @return score 0
   */
  public static Availability unusable(String reason) {
    return new Availability(0, reason, Optional.empty());
  }

  /**
   * Can be used.
   *
   * @param score above 0
   * @param reason what was found
   * @return availability without loss
   */
  public static Availability usable(int score, String reason) {
    return new Availability(score, reason, Optional.empty());
  }
}
