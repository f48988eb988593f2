package dev.llama.cpu;

import dev.llama.DType;
import dev.llama.cpu.PlainCodecs.PairCodec;
import java.util.Arrays;

/**
 * Matrix products in plain Java: each row of weights is decoded, a piece at a time, and multiplied
 * with a few rows of x.
 */
final class JavaMatrixProduct implements MatrixProduct {
  private static final int BLOCK_ROWS = 16; // as many as the cache holds

  private static final int WEIGHTS = 1;
  private static final int INPUTS = 2;
  private static final int SUMS = 3;
  private static final int RESULTS = 4;

  private final WorkerPool pool;

  JavaMatrixProduct(WorkerPool pool) {
    this.pool = pool;
  }

  @Override
  public void multiply(CpuTensor out, CpuTensor x, CpuTensor weight, boolean add) {
    int rows = (int) x.rows();
    int outputs = (int) weight.rows();
    pool.parallelFor(
        outputs,
        Work.grain(pool, outputs, x.width() * rows),
        (from, to, scratch) -> {
          for (int row = 0; row < rows; row += BLOCK_ROWS) {
            int last = Math.min(rows, row + BLOCK_ROWS);
            block(out, x, weight, add, row, last, from, to, scratch);
          }
        });
  }

  private static void block(
      CpuTensor out,
      CpuTensor x,
      CpuTensor weight,
      boolean add,
      int firstRow,
      int lastRow,
      int from,
      int to,
      Scratch scratch) {
    int rows = lastRow - firstRow;
    int width = (int) x.width();
    int folds = width / Vectors.FOLD;
    int tail = width % Vectors.FOLD;
    int pieces = folds + 1;
    DType type = weight.type();
    Codec codec = Codec.of(type);
    float[] w = scratch.floats(WEIGHTS, Vectors.FOLD);
    PairCodec pairs = pairCodec(codec, weight);
    float[][] inputs = inputs(x, firstRow, rows, pairs, scratch);
    float[][] sums = scratch.rows(SUMS, rows, Vectors.PARTIAL_SUMS);
    float[][] results = scratch.rows(RESULTS, rows, to - from);
    int foldBytes = (int) type.bytes(Vectors.FOLD);
    for (int o = from; o < to; o++) {
      Segment segment = weight.segment(o);
      int offset = weight.offset(o);
      for (int r = 0; folds > 0 && r < rows; r++) {
        Arrays.fill(sums[r], 0, Vectors.PARTIAL_SUMS, 0f);
      }
      for (int p = 0; p < folds; p++) {
        if (pairs == null) {
          codec.decode(segment, offset + p * foldBytes, Vectors.FOLD, w, 0, scratch);
        } else {
          pairs.decodeSplit(segment, offset + p * foldBytes, w, scratch);
        }
        for (int r = 0; r < rows; r++) {
          Vectors.foldProduct(sums[r], inputs[r * pieces + p], w);
        }
      }
      if (tail > 0) {
        codec.decode(segment, offset + folds * foldBytes, tail, w, 0, scratch);
      }
      for (int r = 0; r < rows; r++) {
        float folded = folds > 0 ? Vectors.total(sums[r]) : 0f;
        results[r][o - from] = folded + Vectors.dot(inputs[r * pieces + folds], 0, w, 0, tail);
      }
    }
    for (int r = 0; r < rows; r++) {
      store(out, firstRow + r, from, to - from, results[r], add, scratch);
    }
  }

  /** Returns the codec that decodes two elements at a time, if rows begin at whole words. */
  private static PairCodec pairCodec(Codec codec, CpuTensor weight) {
    return codec instanceof PairCodec && weight.width() % 2 == 0 ? (PairCodec) codec : null;
  }

  /** Returns rows of x in pieces of FOLD, the last of which is the rest, in the weights' order. */
  private static float[][] inputs(
      CpuTensor x, int firstRow, int rows, PairCodec pairs, Scratch scratch) {
    int folds = (int) x.width() / Vectors.FOLD;
    int tail = (int) x.width() % Vectors.FOLD;
    float[] ordered = scratch.floats(WEIGHTS, Vectors.FOLD);
    float[][] inputs = scratch.rows(INPUTS, rows * (folds + 1), Vectors.FOLD);
    int i = 0;
    for (int r = firstRow; r < firstRow + rows; r++) {
      for (int p = 0; p < folds; p++, i++) {
        float[] piece = pairs == null ? inputs[i] : ordered;
        x.get(r, p * Vectors.FOLD, Vectors.FOLD, piece, 0);
        if (pairs != null) {
          PairCodec.split(ordered, inputs[i]);
        }
      }
      x.get(r, folds * Vectors.FOLD, tail, inputs[i++], 0);
    }
    return inputs;
  }

  private static void store(
      CpuTensor out, int row, int column, int count, float[] result, boolean add, Scratch scratch) {
    if (add) {
      float[] old = scratch.floats(0, count);
      out.get(row, column, count, old, 0);
      Vectors.add(result, old, count);
    }
    out.put(row, column, count, result, 0);
  }
}
