package dev.llama.spi;

/**
 * The rows of one step: for each row a token, the sequence it belongs to and its position there.
 * Prefill, one-token decode, many sessions at once and packed training documents differ in nothing
 * but the batch. For one thread at a time.
 *
 * <p>Use: {@link #clear()}, {@link #add} for each sequence, {@link #commit()}, then operations.
 */
public interface Batch extends AutoCloseable {
  /** Removes all rows. */
  void clear();

  /**
   * Adds consecutive rows of one sequence.
   *
   * @param cache where the sequence's keys and values are kept; each row attends to all positions
   *     of the cache up to its own. {@code null}: the sequence is these rows and nothing else, as
   *     in training, and its keys are not kept
   * @param tokens token ids
   * @param offset of the first row's token
   * @param count number of rows, at least 1
   * @param firstPosition position of the first row; the others follow. Room must have been reserved
   * @throws dev.llama.InvalidInputException if the batch is full, {@code count} is below 1, or the
   *     cache has no room
   */
  void add(KvCache cache, int[] tokens, int offset, int count, int firstPosition);

  /** Hands the rows over to the device. Operations see those of the last commit. */
  void commit();

  /**
   * Returns the number of rows of the last commit.
   *
   * @return rows
   */
  int rows();

  /**
   * Returns the token ids of the rows of the last commit.
   *
   * @return I32 [rows]; the batch's own memory
   */
  Tensor tokens();

  /**
   * Returns the positions of the rows of the last commit.
   *
   * @return I32 [rows]; the batch's own memory
   */
  Tensor positions();

  /** Gives the memory back. Idempotent. Caches remain open. */
  @Override
  void close();
}
