package dev.llama.core.config;

import dev.llama.ModelConfig;
import dev.llama.RopeScaling;

/**
 * The rotary frequencies of a model. Computed in the order and precision of the reference
 * implementation (float32 for each frequency, float64 for the numbers they depend on), because the
 * angle at position 100,000 is 100,000 times the frequency's rounding error off.
 */
public final class RopeFrequencies {
  private RopeFrequencies() {}

  /**
   * Returns the angle per position of each pair of elements of a head.
   *
   * @param config the model
   * @param sequenceLength number of positions in the sequence; of influence with {@link
   *     RopeScaling.Dynamic} alone
   * @return radians per position, [head_dim / 2]
   */
  public static float[] inverseFrequencies(ModelConfig config, int sequenceLength) {
    RopeScaling scaling = config.ropeScaling();
    if (scaling instanceof RopeScaling.Linear linear) {
      return linear(config, linear);
    } else if (scaling instanceof RopeScaling.Dynamic dynamic) {
      return base(dynamicTheta(config, dynamic, sequenceLength), config.headDim());
    } else if (scaling instanceof RopeScaling.Yarn yarn) {
      return yarn(config, yarn);
    } else if (scaling instanceof RopeScaling.Llama3 llama3) {
      return llama3(config, llama3);
    } else if (scaling instanceof RopeScaling.Factors factors) {
      return factors(config, factors);
    }
    return base(config.ropeTheta(), config.headDim());
  }

  /**
   * Returns what cosine and sine are multiplied by.
   *
   * @param config the model
   * @return 1 unless the scaling is YaRN
   */
  public static float magnitude(ModelConfig config) {
    return config.ropeScaling() instanceof RopeScaling.Yarn yarn
        ? (float) yarn.attentionFactor()
        : 1;
  }

  /** {@code theta ^ (2 i / d)}, the inverse of the base frequency. */
  private static float period(double theta, int headDim, int pair) {
    return (float) Math.pow(theta, 2f * pair / headDim);
  }

  private static float[] base(double theta, int headDim) {
    float[] frequencies = new float[headDim / 2];
    for (int i = 0; i < frequencies.length; i++) {
      frequencies[i] = 1 / period(theta, headDim, i);
    }
    return frequencies;
  }

  private static float[] linear(ModelConfig config, RopeScaling.Linear linear) {
    float[] frequencies = base(config.ropeTheta(), config.headDim());
    for (int i = 0; i < frequencies.length; i++) {
      frequencies[i] /= (float) linear.factor();
    }
    return frequencies;
  }

  private static double dynamicTheta(
      ModelConfig config, RopeScaling.Dynamic dynamic, int sequenceLength) {
    double d = config.headDim();
    double max = config.maxPositionEmbeddings();
    double n = Math.max(sequenceLength, max);
    double stretch = dynamic.factor() * n / max - (dynamic.factor() - 1);
    return config.ropeTheta() * Math.pow(stretch, d / (d - 2));
  }

  private static float[] yarn(ModelConfig config, RopeScaling.Yarn yarn) {
    int d = config.headDim();
    double low = Math.max(Math.floor(pairOfTurns(config, yarn, yarn.betaFast())), 0);
    double high = Math.min(Math.ceil(pairOfTurns(config, yarn, yarn.betaSlow())), d - 1);
    if (low == high) {
      high += 0.001; // a step, as steep as the reference makes it
    }
    float[] frequencies = new float[d / 2];
    for (int i = 0; i < frequencies.length; i++) {
      float period = period(config.ropeTheta(), d, i);
      float ramp = (float) Math.min(Math.max((i - low) / (high - low), 0), 1);
      frequencies[i] = 1 / ((float) yarn.factor() * period) * ramp + 1 / period * (1 - ramp);
    }
    return frequencies;
  }

  /** The pair, as a fraction, that makes this many turns within the original context. */
  private static double pairOfTurns(ModelConfig config, RopeScaling.Yarn yarn, double turns) {
    double original = yarn.originalMaxPositionEmbeddings();
    return config.headDim()
        * Math.log(original / (2 * Math.PI * turns))
        / (2 * Math.log(config.ropeTheta()));
  }

  private static float[] llama3(ModelConfig config, RopeScaling.Llama3 llama3) {
    float[] frequencies = base(config.ropeTheta(), config.headDim());
    float factor = (float) llama3.factor();
    float original = llama3.originalMaxPositionEmbeddings();
    double longest = original / llama3.lowFreqFactor();
    double shortest = original / llama3.highFreqFactor();
    float span = (float) (llama3.highFreqFactor() - llama3.lowFreqFactor());
    for (int i = 0; i < frequencies.length; i++) {
      float f = frequencies[i];
      float wavelength = (float) (2 * Math.PI) / f;
      if (wavelength > longest) {
        frequencies[i] = f / factor;
      } else if (wavelength >= shortest) {
        float smooth = (original / wavelength - (float) llama3.lowFreqFactor()) / span;
        frequencies[i] = (1 - smooth) * f / factor + smooth * f;
      }
    }
    return frequencies;
  }

  private static float[] factors(ModelConfig config, RopeScaling.Factors factors) {
    float[] frequencies = base(config.ropeTheta(), config.headDim());
    for (int i = 0; i < frequencies.length; i++) {
      frequencies[i] /= factors.divisors().get(i);
    }
    return frequencies;
  }
}
