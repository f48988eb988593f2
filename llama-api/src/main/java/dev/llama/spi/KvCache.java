package dev.llama.spi;

/**
 * Keys and values of one sequence over all layers, in pages. For one thread at a time, but forks
 * that share pages may be used by different threads.
 */
public interface KvCache extends AutoCloseable {
  /**
   * Returns what it holds.
   *
   * @return the shape given to {@link Backend#newKvCache}
   */
  KvShape shape();

  /**
   * Returns the number of positions that have room.
   *
   * @return as last reserved or truncated
   */
  int length();

  /**
   * Makes room for positions up to a length, by pages. {@link Ops#attention} fills them. Pages that
   * are shared with a fork and would be written are copied here.
   *
   * @param length at least {@link #length()}, at most {@link KvShape#maxPositions()}
   * @throws dev.llama.BackendException if memory does not suffice; the length is then unchanged
   * @throws dev.llama.InvalidInputException if the length is out of range
   */
  void reserve(int length);

  /**
   * Forgets the positions from a length on. Pages that are no longer needed are given back.
   *
   * @param length in [0, {@link #length()}]
   * @throws dev.llama.InvalidInputException if the length is out of range
   */
  void truncate(int length);

  /**
   * Returns a cache with the same contents, independent from now on, that shares the pages that
   * both have in common.
   *
   * @return a cache; close it as any other
   */
  KvCache fork();

  /**
   * Returns the memory in use, pages shared with forks included.
   *
   * @return bytes
   */
  long bytes();

  /** Gives the pages back, as far as no fork uses them. Idempotent. Forks remain usable. */
  @Override
  void close();
}
