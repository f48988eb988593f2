package dev.llama.spi;

import dev.llama.DType;
import dev.llama.InvalidInputException;

/**
 * Dropout of attention weights in training (Srivastava et al. 2014): behind the softmax, each
 * weight is set to 0 with some probability, and the others are divided by 1 minus that probability.
 * The logarithm of the softmax's denominator is as without dropout.
 *
 * <p>Which weights are kept is a function of the seed, the layer, the query head and the rows of
 * query and key in the batch, see {@link #keeps}; so the gradient repeats what the forward
 * operation did, nothing is stored, and all backends drop the same weights. For sequences without
 * caches only.
 *
 * @param probability of being dropped, at least 0 and below 1
 * @param seed I32 [2], any two numbers; in a tensor because it should change from step to step
 */
public record AttentionDropout(float probability, Tensor seed) {
  private static final int THRESHOLD_BITS = 24;
  private static final int GOLDEN = 0x9e3779b9; // 2^32 / golden ratio: neighbours come to lie apart

  /**
   * Checks its parts.
   *
   * @throws InvalidInputException if the probability is not in [0, 1), or the seed not I32 [2]
   */
  public AttentionDropout {
    if (!(probability >= 0 && probability < 1)) {
      throw new InvalidInputException(
          "attention dropout: the probability is "
              + probability
              + "; it must be at least 0 and below 1");
    }
    if (seed == null || seed.type() != DType.I32 || seed.rows() != 1 || seed.width() != 2) {
      throw new InvalidInputException("attention dropout: the seed must be a tensor I32 [2]");
    }
  }

  /**
   * Returns the factor of the weights that are kept.
   *
   * @return 1 / (1 - probability)
   */
  public float factor() {
    return 1 / (1 - probability);
  }

  /**
   * Returns the number of equally likely values, of 2^24, that mean "dropped".
   *
   * @return probability * 2^24, rounded
   */
  public int threshold() {
    return Math.round(probability * (1 << THRESHOLD_BITS));
  }

  /**
   * Returns what {@link #keeps(int, int, int)} needs to know of a query.
   *
   * @param firstSeed first number of the seed
   * @param secondSeed second number of the seed
   * @param layer as in the {@link AttentionSpec}
   * @param head query head
   * @param queryRow row of the query in the batch
   * @return a hash of them
   */
  public static int queryHash(int firstSeed, int secondSeed, int layer, int head, int queryRow) {
    int hash = mix(firstSeed + GOLDEN);
    hash = mix(hash ^ secondSeed);
    hash = mix(hash + layer * GOLDEN);
    hash = mix(hash ^ head * GOLDEN);
    return mix(hash + queryRow * GOLDEN);
  }

  /**
   * Returns whether the weight of a key is kept.
   *
   * @param queryHash what {@link #queryHash} returned
   * @param keyRow row of the key in the batch
   * @param threshold what {@link #threshold} returned
   * @return false if it is set to 0
   */
  public static boolean keeps(int queryHash, int keyRow, int threshold) {
    return mix(queryHash ^ keyRow * GOLDEN) >>> 32 - THRESHOLD_BITS >= threshold;
  }

  /** The finalizer of MurmurHash3 (Appleby 2011): each bit depends on every bit. */
  private static int mix(int x) {
    x = (x ^ x >>> 16) * 0x85ebca6b;
    x = (x ^ x >>> 13) * 0xc2b2ae35;
    return x ^ x >>> 16;
  }
}
