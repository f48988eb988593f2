package dev.llama.spi;

/**
 * Rotary frequencies: at position p, pair i of a head is rotated by {@code p *
 * inverseFrequencies[i]} radians (Su et al. 2021, equation 34).
 *
 * @param inverseFrequencies F32 [headDim / 2]
 * @param magnitude cos and sin are multiplied by it; 1 but for YaRN
 * @param pairing which elements of a head make a pair; follows the row order of the checkpoint's
 *     query and key matrices
 */
public record RopeTable(Tensor inverseFrequencies, float magnitude, Pairing pairing) {
  /** Which elements of a head make pair i. */
  public enum Pairing {
    /** i and i + headDim / 2: Hugging Face checkpoints. */
    HALVES,
    /** 2 i and 2 i + 1: GGUF files and Meta's own checkpoints. */
    NEIGHBOURS
  }
}
