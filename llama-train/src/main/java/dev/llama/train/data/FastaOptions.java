package dev.llama.train.data;

import dev.llama.InvalidInputException;

/**
 * How a FASTA record becomes documents. Line wraps, white space and header lines are never part of
 * one; a record is cut into windows, which do not overlap.
 *
 * @param window largest number of residues in a document, 1 to 2^24
 * @param letterCase what becomes of lower-case letters, by which repeats are often marked
 * @param gaps what becomes of runs of {@code N}, and of {@code -} in alignments
 */
public record FastaOptions(int window, Case letterCase, Gaps gaps) {
  private static final int MAX_WINDOW = 1 << 24;

  /** What becomes of lower-case letters. */
  public enum Case {
    /** They become upper-case letters. */
    UPPER,
    /** Both cases stay what they are. */
    KEEP
  }

  /** What becomes of residues that are not known. */
  public enum Gaps {
    /** A document ends before them, another begins behind them; they are in neither. */
    SPLIT,
    /** They are residues like any other. */
    KEEP,
    /** They are left out, and what is around them is joined. */
    DROP
  }

  /** Checks the window. */
  public FastaOptions {
    if (window < 1 || window > MAX_WINDOW) {
      throw new InvalidInputException(
          "FASTA window of " + window + " residues, expected 1 to " + MAX_WINDOW);
    }
  }

  /**
   * Windows of 8192, upper case, split at gaps.
   *
   * @return the usual options
   */
  public static FastaOptions defaults() {
    return new FastaOptions(8192, Case.UPPER, Gaps.SPLIT);
  }

  /**
   * Sets the window.
   *
   * @param residues largest number in a document
   * @return changed options
   */
  public FastaOptions window(int residues) {
    return new FastaOptions(residues, letterCase, gaps);
  }

  /**
   * Sets what becomes of lower-case letters.
   *
   * @param change what to do with them
   * @return changed options
   */
  public FastaOptions letterCase(Case change) {
    return new FastaOptions(window, change, gaps);
  }

  /**
   * Sets what becomes of unknown residues.
   *
   * @param change what to do with them
   * @return changed options
   */
  public FastaOptions gaps(Gaps change) {
    return new FastaOptions(window, letterCase, change);
  }
}
