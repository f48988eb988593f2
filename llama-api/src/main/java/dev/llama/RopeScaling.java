package dev.llama;

import java.util.List;

/**
 * How rotary frequencies are stretched beyond the context of pre-training: {@code rope_scaling} in
 * config.json. The base frequencies are {@code f[i] = rope_theta ^ (-2 i / head_dim)} (Su et al.
 * 2021, section 3.2.2).
 */
public sealed interface RopeScaling {

  /**
   * Returns the name in config.json.
   *
   * @return {@code rope_type}
   */
  String ropeType();

  /** Frequencies as they are. */
  record None() implements RopeScaling {
    @Override
    public String ropeType() {
      return "default";
    }
  }

  /**
   * Every frequency divided by the factor (Chen et al. 2023, position interpolation).
   *
   * @param factor at least 1
   */
  record Linear(double factor) implements RopeScaling {
    @Override
    public String ropeType() {
      return "linear";
    }
  }

  /**
   * NTK-aware scaling that depends on the length n of the sequence, once it exceeds the context of
   * pre-training: theta becomes {@code theta * (factor * n / max - (factor - 1)) ^ (d / (d - 2))}.
   *
   * @param factor at least 1
   */
  record Dynamic(double factor) implements RopeScaling {
    @Override
    public String ropeType() {
      return "dynamic";
    }
  }

  /**
   * YaRN (Peng et al. 2023, section 3): low frequencies are divided by the factor, high ones kept,
   * a ramp between them.
   *
   * @param factor at least 1
   * @param originalMaxPositionEmbeddings context of pre-training, in positions
   * @param betaFast turns within the original context above which a frequency is kept
   * @param betaSlow turns within the original context below which it is divided
   * @param attentionFactor cos and sin are multiplied by it; {@code 0.1 ln(factor) + 1} unless
   *     given
   */
  record Yarn(
      double factor,
      int originalMaxPositionEmbeddings,
      double betaFast,
      double betaSlow,
      double attentionFactor)
      implements RopeScaling {
    @Override
    public String ropeType() {
      return "yarn";
    }
  }

  /**
   * Llama 3.1: wavelengths above {@code original / lowFreqFactor} are multiplied by the factor,
   * below {@code original / highFreqFactor} kept, between them interpolated.
   *
   * @param factor at least 1
   * @param lowFreqFactor below {@code highFreqFactor}
   * @param highFreqFactor above {@code lowFreqFactor}
   * @param originalMaxPositionEmbeddings context of pre-training, in positions
   */
  record Llama3(
      double factor, double lowFreqFactor, double highFreqFactor, int originalMaxPositionEmbeddings)
      implements RopeScaling {
    @Override
    public String ropeType() {
      return "llama3";
    }
  }

  /**
   * Divisors of the base frequencies listed one by one, as GGUF files store them in {@code
   * rope_freqs.weight}.
   *
   * @param divisors one for each pair, [head_dim / 2]
   */
  record Factors(List<Float> divisors) implements RopeScaling {
    /** Copies the list. */
    public Factors {
      divisors = List.copyOf(divisors);
    }

    @Override
    public String ropeType() {
      return "factors";
    }
  }
}
