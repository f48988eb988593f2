package dev.llama;

/**
 * How to open a session. Immutable: the setters return changed copies.
 *
 * @param contextSize largest number of positions, at most {@link ModelConfig#longestContext()}; 0
 *     for {@link ModelConfig#contextLength()}. Memory is taken as the session grows, not in advance
 * @param prefillChunk largest number of prompt tokens run at once: larger is faster, smaller reacts
 *     sooner to {@link Generation#cancel()} and takes less memory
 * @param kvCacheType element type of cached keys and values: {@link DType#F32} or {@link DType#F16}
 */
public record SessionOptions(int contextSize, int prefillChunk, DType kvCacheType) {

  private static final SessionOptions DEFAULTS = new SessionOptions(0, 512, DType.F32);

  /** Checks every range. */
  public SessionOptions {
    if (contextSize < 0) {
      throw new InvalidInputException(
          "contextSize is " + contextSize + ", expected 0 (the model's) or more");
    }
    if (prefillChunk < 1) {
      throw new InvalidInputException("prefillChunk is " + prefillChunk + ", expected 1 or more");
    }
    if (kvCacheType != DType.F32 && kvCacheType != DType.F16) {
      throw new InvalidInputException("kvCacheType is " + kvCacheType + ", expected F32 or F16");
    }
  }

  /**
   * The model's whole context, chunks of 512 tokens, F32 cache.
   *
   * @return options
   */
  public static SessionOptions defaults() {
    return DEFAULTS;
  }

  /**
   * Sets the largest number of positions.
   *
   * @param contextSize 0 for the model's
   * @return changed options
   */
  public SessionOptions contextSize(int contextSize) {
    return new SessionOptions(contextSize, prefillChunk, kvCacheType);
  }

  /**
   * Sets the size of prefill chunks.
   *
   * @param prefillChunk tokens
   * @return changed options
   */
  public SessionOptions prefillChunk(int prefillChunk) {
    return new SessionOptions(contextSize, prefillChunk, kvCacheType);
  }

  /**
   * Sets the type of the cache.
   *
   * @param kvCacheType F32 or F16
   * @return changed options
   */
  public SessionOptions kvCacheType(DType kvCacheType) {
    return new SessionOptions(contextSize, prefillChunk, kvCacheType);
  }
}
