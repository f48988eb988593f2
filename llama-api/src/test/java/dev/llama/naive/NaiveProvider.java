package dev.llama.naive;

import dev.llama.BackendException;
import dev.llama.spi.Availability;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.BackendProvider;

/** Offers the naive backend; with the lowest score, so that it runs only where it is asked for. */
public final class NaiveProvider implements BackendProvider {
  @Override
  public String name() {
    return "naive";
  }

  @Override
  public Availability probe() {
    return Availability.usable(1, "double arithmetic, for comparison");
  }

  @Override
  public Backend open(BackendOptions options) {
    if (options.variant().isPresent()) {
      throw new BackendException(
          "naive has no variants, not " + options.variant().get() + "; ask for \"naive\"");
    }
    return new NaiveBackend();
  }
}
