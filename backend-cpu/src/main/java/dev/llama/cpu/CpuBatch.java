package dev.llama.cpu;

import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.spi.Batch;
import dev.llama.spi.KvCache;
import dev.llama.spi.Tensor;
import java.util.Arrays;

/** The rows of a step in host arrays, and their tokens and positions as tensors. */
final class CpuBatch implements Batch {
  /** Consecutive rows of one sequence. */
  static final class Run {
    CpuKvCache cache; // null: the sequence is these rows alone
    int firstRow;
    int count;
    int firstPosition;

    private void set(Run other) {
      cache = other.cache;
      firstRow = other.firstRow;
      count = other.count;
      firstPosition = other.firstPosition;
    }
  }

  private final int maxRows;
  private final CpuTensor allTokens;
  private final CpuTensor allPositions;
  private CpuTensor tokens;
  private CpuTensor positions;
  private Run[] pending = {new Run()};
  private Run[] committed = {new Run()};
  private int runCount;
  private int added;
  private int committedRuns;
  private int committedRows;
  private final int[] ids;

  /**
   * Makes an empty batch.
   *
   * @param memory where its tensors are
   * @param maxRows capacity
   */
  CpuBatch(DirectMemory memory, int maxRows) {
    if (maxRows < 1) {
      throw new InvalidInputException("batch: maxRows is " + maxRows + "; it must be at least 1");
    }
    this.maxRows = maxRows;
    allTokens = Segments.allocate(memory, DType.I32, maxRows);
    allPositions = Segments.allocate(memory, DType.I32, maxRows);
    tokens = allTokens;
    positions = allPositions;
    ids = new int[maxRows];
  }

  @Override
  public void clear() {
    requireOpen();
    runCount = 0;
    added = 0;
  }

  @Override
  public void add(KvCache cache, int[] source, int offset, int count, int firstPosition) {
    requireOpen();
    if (count < 1 || offset < 0 || offset > source.length - count) {
      throw new InvalidInputException(
          "batch: " + count + " tokens from index " + offset + " of " + source.length);
    }
    if (count > maxRows - added) {
      throw new InvalidInputException(
          "batch: " + added + " + " + count + " rows; it holds at most " + maxRows);
    }
    if (firstPosition < 0 || firstPosition > Integer.MAX_VALUE - count) {
      throw new InvalidInputException("batch: position " + firstPosition + " is out of range");
    }
    CpuKvCache own = own(cache, firstPosition + count);
    if (own != null) {
      own.unshare(firstPosition, firstPosition + count);
    }
    Run run = nextRun();
    run.cache = own;
    run.firstRow = added;
    run.count = count;
    run.firstPosition = firstPosition;
    System.arraycopy(source, offset, ids, added, count);
    added += count;
  }

  private static CpuKvCache own(KvCache cache, int end) {
    if (cache == null) {
      return null;
    }
    if (!(cache instanceof CpuKvCache)) {
      throw new InvalidInputException("batch: the KV cache is one of another backend");
    }
    CpuKvCache own = (CpuKvCache) cache;
    own.requireOpen();
    if (end > own.length()) {
      throw new InvalidInputException(
          "batch: positions up to "
              + end
              + " are to be written, but the KV cache has room for "
              + own.length()
              + "; reserve it first");
    }
    return own;
  }

  private Run nextRun() {
    pending = grown(pending, runCount + 1);
    return pending[runCount++];
  }

  private static Run[] grown(Run[] runs, int count) {
    if (count <= runs.length) {
      return runs;
    }
    Run[] more = Arrays.copyOf(runs, Math.max(count, 2 * runs.length));
    for (int i = runs.length; i < more.length; i++) {
      more[i] = new Run();
    }
    return more;
  }

  @Override
  public void commit() {
    requireOpen();
    committed = grown(committed, runCount);
    for (int i = 0; i < runCount; i++) {
      Run run = committed[i];
      run.set(pending[i]);
      for (int r = 0; r < run.count; r++) {
        allTokens.putInt(run.firstRow + r, ids[run.firstRow + r]);
        allPositions.putInt(run.firstRow + r, run.firstPosition + r);
      }
    }
    committedRuns = runCount;
    if (committedRows != added) {
      committedRows = added;
      if (added > 0) {
        tokens = allTokens.slice(0, added);
        positions = allPositions.slice(0, added);
      }
    }
  }

  /** Returns the number of runs of the last commit. */
  int runs() {
    return committedRuns;
  }

  /** Returns a run of the last commit. */
  Run run(int index) {
    return committed[index];
  }

  @Override
  public int rows() {
    return committedRows;
  }

  @Override
  public Tensor tokens() {
    return tokens;
  }

  @Override
  public Tensor positions() {
    return positions;
  }

  boolean isClosed() {
    return allTokens.isClosed();
  }

  private void requireOpen() {
    if (isClosed()) {
      throw new InvalidInputException("the batch is closed");
    }
  }

  @Override
  public void close() {
    allTokens.close();
    allPositions.close();
  }
}
