package dev.llama.train;

/**
 * Where a trainer's batches come from. For one thread at a time.
 *
 * <p>A source knows its position, so that training which is interrupted goes on with the very next
 * batch: {@link #state()} taken between two calls of {@link #next} and given to {@link #restore} of
 * another source of the same data, options and seed makes that source return the same batches.
 */
public interface BatchSource extends AutoCloseable {
  /**
   * Fills the next batch. Whatever was in it before is overwritten.
   *
   * @param batch to be filled; all batches given to one source have the same size
   * @return whether there was one: {@code false} at the end of the data, and the batch is then of
   *     no use. A source for training begins anew instead, in another order
   * @throws dev.llama.FormatException if the data are broken: names file and place
   */
  boolean next(TokenBatch batch);

  /**
   * Returns the position behind the last batch.
   *
   * @return a text that only sources of this kind understand, at most some kilobytes
   */
  String state();

  /**
   * Goes to a position.
   *
   * @param state what {@link #state()} of a source of the same data and options returned
   * @throws dev.llama.TrainingException if the data, the options or the seed are not the same: says
   *     what differs
   */
  void restore(String state);

  /**
   * Returns how often the data have been passed through.
   *
   * @return passes, the present one as a fraction; for display
   */
  double epochs();

  /** Closes the files. Idempotent. */
  @Override
  void close();
}
