package dev.llama;

/** Is told how far the loading of a model has come. Called on the loading thread. */
@FunctionalInterface
public interface LoadListener {
  /** What is being done. */
  enum Phase {
    /** Reading configuration and tokenizer; sizes are not known yet. */
    OPEN,
    /** Handing the weights to the backend. */
    WEIGHTS,
    /** The model is ready. */
    READY
  }

  /**
   * Reports progress.
   *
   * @param phase what is being done
   * @param bytesDone bytes of weights done so far
   * @param bytesTotal bytes of weights in all, 0 while unknown
   */
  void progress(Phase phase, long bytesDone, long bytesTotal);
}
