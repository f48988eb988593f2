package dev.llama.cpu;

import dev.llama.DType;
import java.util.Arrays;

/**
 * Gradients of matrix products in plain Java. Both are sums of rows with factors: a block of rows
 * of the result, a piece of the columns wide, is kept while the rows that make it up pass by, four
 * at a time.
 */
final class JavaGradProduct implements GradProduct {
  private static final int BLOCK_ROWS = 16; // as many as the cache holds
  private static final int PIECE = Codec.CHUNK; // columns
  private static final int STEP = 4; // rows that are added at a time

  private static final int FACTORS = 1;
  private static final int SUMS = 2;
  private static final int SOURCES = 3;
  private static final int OLD = 4;

  private final WorkerPool pool;

  JavaGradProduct(WorkerPool pool) {
    this.pool = pool;
  }

  @Override
  public void inputs(CpuTensor dX, CpuTensor dOut, CpuTensor weight, boolean add) {
    int outputs = (int) dOut.width();
    blocks(
        dX,
        outputs,
        (row, rows, column, count, scratch) -> {
          float[][] sums = cleared(rows, count, scratch);
          float[][] factors = scratch.rows(FACTORS, rows, outputs + STEP);
          float[][] sources = scratch.rows(SOURCES, STEP, PIECE);
          for (int i = 0; i < rows; i++) {
            dOut.get(row + i, 0, outputs, factors[i], 0);
            Arrays.fill(factors[i], outputs, outputs + STEP, 0f);
          }
          for (int o = 0; o < outputs; o += STEP) {
            for (int j = 0; j < STEP; j++) {
              decode(weight, Math.min(o + j, outputs - 1), column, count, sources[j], scratch);
            }
            for (int i = 0; i < rows; i++) {
              float[] f = factors[i];
              add(sums[i], f[o], f[o + 1], f[o + 2], f[o + 3], sources, count);
            }
          }
          store(dX, row, rows, column, count, add, scratch);
        });
  }

  @Override
  public void weights(CpuTensor dWeight, CpuTensor dOut, CpuTensor x) {
    int terms = (int) dOut.rows();
    blocks(
        dWeight,
        terms,
        (row, rows, column, count, scratch) -> {
          float[][] sums = cleared(rows, count, scratch);
          float[][] factors = scratch.rows(FACTORS, STEP, BLOCK_ROWS);
          float[][] sources = scratch.rows(SOURCES, STEP, PIECE);
          for (int r = 0; r < terms; r += STEP) {
            for (int j = 0; j < STEP; j++) {
              if (r + j < terms) {
                dOut.get(r + j, row, rows, factors[j], 0);
                x.get(r + j, column, count, sources[j], 0);
              } else {
                Arrays.fill(factors[j], 0, rows, 0f);
                Arrays.fill(sources[j], 0, count, 0f);
              }
            }
            for (int i = 0; i < rows; i++) {
              float[][] f = factors;
              add(sums[i], f[0][i], f[1][i], f[2][i], f[3][i], sources, count);
            }
          }
          store(dWeight, row, rows, column, count, true, scratch);
        });
  }

  /** Computes a block of the result. */
  private interface Block {
    void compute(int row, int rows, int column, int count, Scratch scratch);
  }

  private void blocks(CpuTensor result, int terms, Block block) {
    int height = (int) result.rows();
    int width = (int) result.width();
    int across = (width - 1) / PIECE + 1;
    int down = (height - 1) / BLOCK_ROWS + 1;
    int count = Math.multiplyExact(across, down);
    long each = (long) terms * Math.min(width, PIECE) * Math.min(height, BLOCK_ROWS);
    pool.parallelFor(
        count,
        Work.grain(pool, count, each),
        (from, to, scratch) -> {
          for (int i = from; i < to; i++) {
            int row = i / across * BLOCK_ROWS;
            int column = i % across * PIECE;
            block.compute(
                row,
                Math.min(BLOCK_ROWS, height - row),
                column,
                Math.min(PIECE, width - column),
                scratch);
          }
        });
  }

  private static float[][] cleared(int rows, int count, Scratch scratch) {
    float[][] sums = scratch.rows(SUMS, rows, PIECE);
    for (int i = 0; i < rows; i++) {
      Arrays.fill(sums[i], 0, count, 0f);
    }
    return sums;
  }

  private static void decode(
      CpuTensor weight, int row, int column, int count, float[] out, Scratch scratch) {
    DType type = weight.type();
    int offset = weight.offset(row) + (int) type.bytes(column);
    Codec.of(type).decode(weight.segment(row), offset, count, out, 0, scratch);
  }

  private static void add(
      float[] sums, float f0, float f1, float f2, float f3, float[][] s, int count) {
    Vectors.addScaled(sums, f0, s[0], f1, s[1], f2, s[2], f3, s[3], count);
  }

  private static void store(
      CpuTensor out, int row, int rows, int column, int count, boolean add, Scratch scratch) {
    float[][] sums = scratch.rows(SUMS, rows, PIECE);
    float[] old = scratch.floats(OLD, PIECE);
    for (int i = 0; i < rows; i++) {
      if (add) {
        out.get(row + i, column, count, old, 0);
        Vectors.add(sums[i], old, count);
      }
      out.put(row + i, column, count, sums[i], 0);
    }
  }
}
