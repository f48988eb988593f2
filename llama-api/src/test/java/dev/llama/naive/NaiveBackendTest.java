package dev.llama.naive;

import dev.llama.spi.Backend;
import dev.llama.spi.conformance.BackendConformance;

/** The suite passes on a backend that is right. */
class NaiveBackendTest extends BackendConformance {
  @Override
  protected Backend open() {
    return new NaiveBackend();
  }
}
