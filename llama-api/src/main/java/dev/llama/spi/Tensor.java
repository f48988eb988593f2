package dev.llama.spi;

import dev.llama.DType;

/**
 * Numbers that a backend holds in its own memory. Shape [n] or [rows, width], row-major and dense.
 * Only the backend that made it may use it.
 */
public interface Tensor extends AutoCloseable {
  /**
   * Returns how elements are stored.
   *
   * @return type
   */
  DType type();

  /**
   * Returns the shape.
   *
   * @return a copy, one or two sizes
   */
  long[] shape();

  /**
   * Returns the number of rows.
   *
   * @return the first of two sizes; 1 for a vector
   */
  long rows();

  /**
   * Returns the length of a row.
   *
   * @return the last size
   */
  long width();

  /**
   * Returns a view of consecutive rows that shares this tensor's memory. Closing the view does
   * nothing. A view of a vector counts elements as rows. Matrices from {@link Backend#load} need
   * not support it: a backend may have mixed their rows.
   *
   * @param first from 0
   * @param count at least 1
   * @return [count, width], or [count] of a vector
   */
  Tensor slice(long first, long count);

  /** Gives the memory back. Idempotent. */
  @Override
  void close();
}
