package dev.llama.spi;

import java.util.Optional;

/**
 * How to open a backend.
 *
 * @param variant what followed the colon in the user's choice, for instance {@code "reference"} or
 *     a device number; absent: the best
 * @param threads 0 for the number of cores
 */
public record BackendOptions(Optional<String> variant, int threads) {
  /**
   * The best variant with automatic threads.
   *
   * @return options
   */
  public static BackendOptions defaults() {
    return new BackendOptions(Optional.empty(), 0);
  }
}
