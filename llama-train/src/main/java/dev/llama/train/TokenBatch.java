package dev.llama.train;

import dev.llama.InvalidInputException;
import java.util.Arrays;

/**
 * Rows of tokens of the same length, on the host: what one forward and backward pass takes. A row
 * holds one document, several, or a part of one; a position attends to those before it in the same
 * document of the same row. For one thread at a time.
 *
 * <p>The arrays are row-major, [rows * length], and may be written directly.
 */
public final class TokenBatch {
  /** In {@link #targets()}: the position has no part in the loss. */
  public static final int NO_TARGET = -1;

  /** In {@link #documents()}: the position is padding. */
  public static final int PADDING = -1;

  private final int rows;
  private final int length;
  private final int[] tokens;
  private final int[] targets;
  private final int[] documents;

  /**
   * Makes a batch of nothing but padding.
   *
   * @param rows number of sequences, at least 1
   * @param length tokens in each, at least 1
   * @throws InvalidInputException if a size is below 1, or there are 2^31 tokens or more
   */
  public TokenBatch(int rows, int length) {
    if (rows < 1 || length < 1 || (long) rows * length > Integer.MAX_VALUE) {
      throw new InvalidInputException(
          "a batch of " + rows + " rows of " + length + " tokens, expected 1 to 2^31 - 1 tokens");
    }
    this.rows = rows;
    this.length = length;
    tokens = new int[rows * length];
    targets = new int[rows * length];
    documents = new int[rows * length];
    clear();
  }

  /** Makes everything padding. */
  public void clear() {
    Arrays.fill(tokens, 0);
    Arrays.fill(targets, NO_TARGET);
    Arrays.fill(documents, PADDING);
  }

  /**
   * Returns the number of sequences.
   *
   * @return rows
   */
  public int rows() {
    return rows;
  }

  /**
   * Returns the number of tokens in a row, padding included.
   *
   * @return tokens
   */
  public int length() {
    return length;
  }

  /**
   * Returns the token ids; any valid id where there is padding.
   *
   * @return the batch's own array, [rows * length]
   */
  public int[] tokens() {
    return tokens;
  }

  /**
   * Returns the token that is to be predicted at each position: the next one of the same document.
   *
   * @return the batch's own array, [rows * length]; {@link #NO_TARGET} where there is none
   */
  public int[] targets() {
    return targets;
  }

  /**
   * Returns which document of its row each position belongs to. Positions of one document are
   * consecutive; neighbouring documents have different numbers.
   *
   * @return the batch's own array, [rows * length]; numbers from 0, {@link #PADDING} behind the
   *     last document of a row
   */
  public int[] documents() {
    return documents;
  }
}
