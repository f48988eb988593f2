package dev.llama.train;

import dev.llama.InvalidInputException;

/**
 * The optimiser (Loshchilov and Hutter 2019, algorithm 2). Weight decay pulls matrices towards 0,
 * embeddings among them; norms and biases are left alone.
 *
 * @param beta1 decay of the mean of gradients, in [0, 1)
 * @param beta2 decay of the mean of their squares, in [0, 1)
 * @param eps added to the denominator, above 0
 * @param weightDecay part of each weight that is taken off per unit of learning rate, at least 0
 */
public record AdamW(double beta1, double beta2, double eps, double weightDecay) {
  private static final AdamW DEFAULTS = new AdamW(0.9, 0.95, 1e-8, 0.1);

  /**
   * Checks the values.
   *
   * @throws InvalidInputException if one is out of range
   */
  public AdamW {
    Values.require(beta1 >= 0 && beta1 < 1, "beta1", beta1, "[0, 1)");
    Values.require(beta2 >= 0 && beta2 < 1, "beta2", beta2, "[0, 1)");
    Values.require(eps > 0 && eps < 1, "eps", eps, "(0, 1)");
    Values.require(weightDecay >= 0 && weightDecay <= 10, "weight decay", weightDecay, "[0, 10]");
  }

  /**
   * What Llama models were trained with (Touvron et al. 2023, section 2.3): 0.9, 0.95, 1e-8 and
   * 0.1.
   *
   * @return the optimiser
   */
  public static AdamW defaults() {
    return DEFAULTS;
  }

  /**
   * Sets the decay.
   *
   * @param value at least 0
   * @return a changed copy
   */
  public AdamW weightDecay(double value) {
    return new AdamW(beta1, beta2, eps, value);
  }
}
