package dev.llama.core.quantize;

import dev.llama.InvalidInputException;

/**
 * How a model is quantised.
 *
 * @param type of the file
 * @param pure every matrix gets the type of the name, none of them more bits
 * @param requantize whether matrices that are quantised already may be quantised again, which loses
 *     more than quantising the original would
 * @param overwrite whether a file that is there may be replaced
 * @param threads that compute; 0: as many as there are processors
 */
public record QuantizeOptions(
    QuantizationType type, boolean pure, boolean requantize, boolean overwrite, int threads) {

  /** Checks the number of threads. */
  public QuantizeOptions {
    if (threads < 0 || threads > 4096) {
      throw new InvalidInputException("threads is " + threads + ", expected 0 to 4096");
    }
  }

  /**
   * The usual mixture, all processors, nothing overwritten.
   *
   * @param type of the file
   * @return options
   */
  public static QuantizeOptions of(QuantizationType type) {
    return new QuantizeOptions(type, false, false, false, 0);
  }

  /**
   * Gives every matrix the same type.
   *
   * @param value whether to
   * @return changed options
   */
  public QuantizeOptions pure(boolean value) {
    return new QuantizeOptions(type, value, requantize, overwrite, threads);
  }

  /**
   * Allows sources that are quantised already.
   *
   * @param value whether to
   * @return changed options
   */
  public QuantizeOptions requantize(boolean value) {
    return new QuantizeOptions(type, pure, value, overwrite, threads);
  }

  /**
   * Allows to replace a file that is there.
   *
   * @param value whether to
   * @return changed options
   */
  public QuantizeOptions overwrite(boolean value) {
    return new QuantizeOptions(type, pure, requantize, value, threads);
  }

  /**
   * Sets the number of threads.
   *
   * @param value 0: as many as there are processors
   * @return changed options
   */
  public QuantizeOptions threads(int value) {
    return new QuantizeOptions(type, pure, requantize, overwrite, value);
  }
}
