package dev.llama.cuda;

import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.spi.Batch;
import dev.llama.spi.KvCache;
import dev.llama.spi.KvShape;
import dev.llama.spi.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * The rows of a step, in one block of the device's memory that never moves:
 *
 * <pre>
 * runs         Run [maxRows]   what belongs together: struct Run in common.cuh
 * tiles        int2 [maxRows]  run, first row in it: tiles of rows
 * tokens       int [maxRows]
 * positions    int [maxRows]
 * rowRuns      int [maxRows]   run of each row
 * decodeRows   int [maxRows]   rows that are attended one by one
 * </pre>
 */
final class CudaBatch implements Batch {
  /** Rows with a cache in runs of up to so many are attended one by one, the others in tiles. */
  static final int SHORT_RUN = 4;

  /** Rows of a tile; the kernels' {@code TILE_ROWS}. */
  static final int TILE = 64;

  private static final int RUN_BYTES = 24;
  private static final int TILE_BYTES = 8;
  private static final int ROW_BYTES = RUN_BYTES + TILE_BYTES + 4 * Integer.BYTES;

  /** Where a run's keys and values are; the kernels' {@code enum Kind}. */
  enum Kind {
    ROWS,
    F32,
    F16;

    static Kind of(CudaKvCache cache) {
      return cache == null ? ROWS : cache.shape().type() == DType.F16 ? F16 : F32;
    }
  }

  /**
   * Consecutive rows of one sequence.
   *
   * @param cache its cache, or null: the sequence is these rows alone
   */
  record Run(CudaKvCache cache, int firstRow, int count, int firstPosition) {}

  /** What decides how operations on a batch are launched: as long as it is equal, a graph holds. */
  record Structure(List<Integer> counts, List<KvShape> shapes) {}

  private final Gpu gpu;
  private final int maxRows;
  private final CudaTensor.Owner owner;
  private final ByteBuffer host; // as on the device
  private final List<Run> pending = new ArrayList<>();
  private final int[] ids;
  private List<Run> committed = List.of();
  private Structure structure = new Structure(List.of(), List.of());
  private CudaTensor tokens;
  private CudaTensor positions;
  private int added;
  private int rows;
  private final Set<Kind> kinds = EnumSet.noneOf(Kind.class);
  private final Set<Kind> tileKinds = EnumSet.noneOf(Kind.class);
  private final Set<Kind> decodeKinds = EnumSet.noneOf(Kind.class);
  private int tileCount;
  private int decodeCount;

  /**
   * Makes an empty batch.
   *
   * @param gpu where
   * @param maxRows capacity
   */
  CudaBatch(Gpu gpu, int maxRows) {
    if (maxRows < 1 || maxRows > Integer.MAX_VALUE / ROW_BYTES) {
      throw new InvalidInputException(
          "batch: maxRows is " + maxRows + "; it must be 1 to " + Integer.MAX_VALUE / ROW_BYTES);
    }
    this.gpu = gpu;
    this.maxRows = maxRows;
    int bytes = maxRows * ROW_BYTES;
    owner = new CudaTensor.Owner(gpu, gpu.allocateZeros(bytes, "a batch"));
    host = ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
    ids = new int[maxRows];
    tokens = CudaTensor.integers(owner, tokensAt(), maxRows);
    positions = CudaTensor.integers(owner, positionsAt(), maxRows);
  }

  @Override
  public void clear() {
    requireOpen();
    pending.clear();
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
    CudaKvCache own = own(cache, firstPosition + count);
    if (own != null) {
      own.unshare(firstPosition, firstPosition + count);
    }
    pending.add(new Run(own, added, count, firstPosition));
    System.arraycopy(source, offset, ids, added, count);
    added += count;
  }

  private CudaKvCache own(KvCache cache, int end) {
    if (cache == null) {
      return null;
    }
    if (!(cache instanceof CudaKvCache)) {
      throw new InvalidInputException("batch: the KV cache is one of another backend");
    }
    CudaKvCache own = (CudaKvCache) cache;
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

  @Override
  public void commit() {
    requireOpen();
    gpu.enter();
    try {
      committed = List.copyOf(pending);
      tileCount = 0;
      decodeCount = 0;
      kinds.clear();
      tileKinds.clear();
      decodeKinds.clear();
      for (int i = 0; i < committed.size(); i++) {
        describe(i, committed.get(i));
      }
      host.clear();
      gpu.transfers().upload(owner.address(), host);
      List<Integer> counts = new ArrayList<>();
      List<KvShape> shapes = new ArrayList<>();
      for (Run run : committed) {
        counts.add(run.count);
        shapes.add(run.cache == null ? NO_CACHE : run.cache.shape());
      }
      structure = new Structure(counts, shapes);
      if (rows != added && added > 0) {
        tokens = CudaTensor.integers(owner, tokensAt(), added);
        positions = CudaTensor.integers(owner, positionsAt(), added);
      }
      rows = added;
    } finally {
      gpu.exit();
    }
  }

  private static final KvShape NO_CACHE = new KvShape(0, 0, 0, DType.F32, 0);

  private void describe(int index, Run run) {
    int at = index * RUN_BYTES;
    host.putLong(at, run.cache == null ? 0 : run.cache.table());
    host.putInt(at + 8, run.firstRow);
    host.putInt(at + 12, run.count);
    host.putInt(at + 16, run.firstPosition);
    Kind kind = Kind.of(run.cache);
    host.putInt(at + 20, kind.ordinal());
    boolean alone = kind != Kind.ROWS && run.count <= SHORT_RUN;
    kinds.add(kind);
    (alone ? decodeKinds : tileKinds).add(kind);
    for (int r = 0; r < run.count; r++) {
      int row = 4 * (run.firstRow + r);
      host.putInt(tokensAt() + row, ids[run.firstRow + r]);
      host.putInt(positionsAt() + row, run.firstPosition + r);
      host.putInt(rowRunsAt() + row, index);
      if (alone) {
        host.putInt(decodeRowsAt() + 4 * decodeCount++, run.firstRow + r);
      } else if (r % TILE == 0) {
        int tile = tilesAt() + TILE_BYTES * tileCount++;
        host.putInt(tile, index);
        host.putInt(tile + 4, r);
      }
    }
  }

  private int tilesAt() {
    return maxRows * RUN_BYTES;
  }

  private int tokensAt() {
    return tilesAt() + maxRows * TILE_BYTES;
  }

  private int positionsAt() {
    return tokensAt() + maxRows * 4;
  }

  private int rowRunsAt() {
    return positionsAt() + maxRows * 4;
  }

  private int decodeRowsAt() {
    return rowRunsAt() + maxRows * 4;
  }

  /** Device address of the runs. */
  long runsAddress() {
    return owner.address();
  }

  /** Device address of the tiles. */
  long tilesAddress() {
    return owner.address() + tilesAt();
  }

  /** Device address of each row's run. */
  long rowRunsAddress() {
    return owner.address() + rowRunsAt();
  }

  /** Device address of the rows that are attended one by one. */
  long decodeRowsAddress() {
    return owner.address() + decodeRowsAt();
  }

  /** Kinds of all runs. */
  Set<Kind> kinds() {
    return kinds;
  }

  /** Kinds of the runs in tiles. */
  Set<Kind> tileKinds() {
    return tileKinds;
  }

  /** Kinds of the runs whose rows are attended one by one. */
  Set<Kind> decodeKinds() {
    return decodeKinds;
  }

  /** Number of tiles. */
  int tileCount() {
    return tileCount;
  }

  /** Number of rows that are attended one by one. */
  int decodeCount() {
    return decodeCount;
  }

  /** Returns the runs of the last commit. */
  List<Run> runs() {
    return committed;
  }

  /** Returns what graphs depend on. */
  Structure structure() {
    return structure;
  }

  @Override
  public int rows() {
    return rows;
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
    return owner.isClosed();
  }

  private void requireOpen() {
    if (isClosed()) {
      throw new InvalidInputException("the batch is closed");
    }
  }

  @Override
  public void close() {
    owner.close();
  }
}
