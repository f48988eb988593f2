package dev.llama;

import java.util.List;

/**
 * How rotary frequencies are stretched beyond the context of pre-training: {@code rope_scaling} in
 * config.json. The base frequencies are {@code f[i] = rope_theta ^ (-2 i / head_dim)} (Su et al.
 * 2021, section 3.2.2).
 */
public sealed interface RopeScaling {
  /** Largest factor that is accepted, far above any published model's. */
  double MAX_FACTOR = 1e6;

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
   * @param factor 1 to 1e6
   */
  record Linear(double factor) implements RopeScaling {
    /** Checks the range. */
    public Linear {
      checkFactor(factor);
    }

    @Override
    public String ropeType() {
      return "linear";
    }
  }

  /**
   * NTK-aware scaling that depends on the length n of the sequence, once it exceeds the context of
   * pre-training: theta becomes {@code theta * (factor * n / max - (factor - 1)) ^ (d / (d - 2))}.
   *
   * @param factor 1 to 1e6
   */
  record Dynamic(double factor) implements RopeScaling {
    /** Checks the range. */
    public Dynamic {
      checkFactor(factor);
    }

    @Override
    public String ropeType() {
      return "dynamic";
    }
  }

  /**
   * YaRN (Peng et al. 2023, section 3): low frequencies are divided by the factor, high ones kept,
   * a ramp between them.
   *
   * @param factor 1 to 1e6
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
    /** Checks the range. */
    public Yarn {
      checkFactor(factor);
      checkOriginal(originalMaxPositionEmbeddings);
      check(
          betaSlow > 0 && betaSlow <= betaFast, "beta_slow", betaSlow, "above 0, up to beta_fast");
      check(betaFast <= Float.MAX_VALUE, "beta_fast", betaFast, "a number");
      check(
          attentionFactor > 0 && attentionFactor <= Float.MAX_VALUE,
          "attention_factor",
          attentionFactor,
          "above 0");
    }

    @Override
    public String ropeType() {
      return "yarn";
    }
  }

  /**
   * Llama 3.1: wavelengths above {@code original / lowFreqFactor} are multiplied by the factor,
   * below {@code original / highFreqFactor} kept, between them interpolated.
   *
   * @param factor 1 to 1e6
   * @param lowFreqFactor below {@code highFreqFactor}
   * @param highFreqFactor above {@code lowFreqFactor}
   * @param originalMaxPositionEmbeddings context of pre-training, in positions
   */
  record Llama3(
      double factor, double lowFreqFactor, double highFreqFactor, int originalMaxPositionEmbeddings)
      implements RopeScaling {
    /** Checks the range. */
    public Llama3 {
      checkFactor(factor);
      checkOriginal(originalMaxPositionEmbeddings);
      check(
          lowFreqFactor > 0 && lowFreqFactor < highFreqFactor,
          "low_freq_factor",
          lowFreqFactor,
          "above 0, below high_freq_factor " + highFreqFactor);
      check(highFreqFactor <= Float.MAX_VALUE, "high_freq_factor", highFreqFactor, "a number");
    }

    @Override
    public String ropeType() {
      return "llama3";
    }
  }

  /**
   * Divisors of the base frequencies listed one by one, as GGUF files store them in {@code
   * rope_freqs.weight}.
   *
   * @param divisors 1e-6 to 1e9, one for each pair, [head_dim / 2]
   */
  record Factors(List<Float> divisors) implements RopeScaling {
    /** Copies the list and checks it. */
    public Factors {
      divisors = List.copyOf(divisors);
      for (float divisor : divisors) {
        check(divisor >= 1e-6 && divisor <= 1e9, "divisor", divisor, "1e-6 to 1e9");
      }
    }

    @Override
    public String ropeType() {
      return "factors";
    }
  }

  private static void checkFactor(double factor) {
    check(factor >= 1 && factor <= MAX_FACTOR, "factor", factor, "1 to " + MAX_FACTOR);
  }

  private static void checkOriginal(int positions) {
    check(positions >= 1, "original_max_position_embeddings", positions, "at least 1");
  }

  private static void check(boolean ok, String name, Object value, String expected) {
    if (!ok) {
      throw new InvalidInputException(
          "rope_scaling " + name + " is " + value + ", expected " + expected);
    }
  }
}
