package dev.llama.core.model;

import dev.llama.spi.Draw;

/**
 * How a token is chosen where the logits are.
 *
 * @param draw how it is drawn, or null: the largest logit
 */
record Choice(Draw draw) {
  /** The largest logit. */
  static final Choice BEST = new Choice(null);

  /** Whether a backend needs a {@link dev.llama.spi.SampleOp} for it. */
  boolean isDrawn() {
    return draw != null;
  }
}
