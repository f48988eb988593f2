package dev.llama.spi.conformance;

import dev.llama.spi.Backend;

/** What every group of checks has at hand. */
interface Checks {
  /** Tensors on the backend under test, closed after each test. */
  Lab lab();

  /** Opens one more backend; the caller closes it. */
  Backend reopen();
}
