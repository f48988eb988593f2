package dev.llama.naive;

import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.spi.Batch;
import dev.llama.spi.KvCache;
import dev.llama.spi.Tensor;
import java.util.ArrayList;
import java.util.List;

/** Rows are gathered in one list and handed over, as a copy, by commit. */
final class NaiveBatch implements Batch {
  /**
   * One row.
   *
   * @param sequenceStart first row of the same call of add
   */
  record Row(NaiveKvCache cache, int token, int position, int sequenceStart) {}

  private final int maxRows;
  private final double[] tokens;
  private final double[] positions;
  private final List<Row> gathered = new ArrayList<>();
  private List<Row> committed = List.of();

  NaiveBatch(int maxRows) {
    this.maxRows = maxRows;
    tokens = new double[maxRows];
    positions = new double[maxRows];
  }

  List<Row> committed() {
    return committed;
  }

  @Override
  public void clear() {
    gathered.clear();
  }

  @Override
  public void add(KvCache cache, int[] ids, int offset, int count, int firstPosition) {
    int start = gathered.size();
    if (count < 1 || count > maxRows - start) {
      throw new InvalidInputException(
          count + " rows more, expected 1 to " + (maxRows - start) + " of " + maxRows);
    }
    for (int i = 0; i < count; i++) {
      gathered.add(new Row((NaiveKvCache) cache, ids[offset + i], firstPosition + i, start));
    }
  }

  @Override
  public void commit() {
    committed = List.copyOf(gathered);
    for (int r = 0; r < committed.size(); r++) {
      tokens[r] = committed.get(r).token();
      positions[r] = committed.get(r).position();
    }
  }

  @Override
  public int rows() {
    return committed.size();
  }

  @Override
  public Tensor tokens() {
    return new NaiveTensor(DType.I32, tokens, 0, rows());
  }

  @Override
  public Tensor positions() {
    return new NaiveTensor(DType.I32, positions, 0, rows());
  }

  @Override
  public void close() {}
}
