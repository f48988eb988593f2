package dev.llama.cpu;

import dev.llama.DType;
import dev.llama.cpu.PlainCodecs.PairCodec;
import java.util.Arrays;

/**
 * Matrix products in plain Java. Few rows: each row of weights is decoded once and multiplied with
 * each row of x. Many rows: a block of x is transposed, so that the innermost loop runs over its
 * rows, which vectorises.
 */
final class JavaMatrixProduct implements MatrixProduct {
  private static final int MANY = 12; // measured: from here on, transposing wins
  private static final int BLOCK_ROWS = 128;
  private static final int BLOCK_INPUTS = 512;
  private static final int BLOCK_OUTPUTS = 128;

  private static final int WEIGHTS = 1;
  private static final int INPUTS = 2;
  private static final int SUMS = 3;
  private static final int RESULTS = 4;
  private static final int STAGING = 5;

  private final WorkerPool pool;

  JavaMatrixProduct(WorkerPool pool) {
    this.pool = pool;
  }

  @Override
  public void multiply(CpuTensor out, CpuTensor x, CpuTensor weight, boolean add) {
    int rows = (int) x.rows();
    int outputs = (int) weight.rows();
    int grain = Work.grain(pool, outputs, x.width() * rows);
    if (rows < MANY) {
      pool.parallelFor(
          outputs, grain, (from, to, scratch) -> few(out, x, weight, add, from, to, scratch));
    } else {
      pool.parallelFor(
          outputs,
          grain,
          (from, to, scratch) -> {
            for (int first = from; first < to; first += BLOCK_OUTPUTS) {
              int last = Math.min(to, first + BLOCK_OUTPUTS);
              for (int row = 0; row < rows; row += BLOCK_ROWS) {
                block(
                    out,
                    x,
                    weight,
                    add,
                    row,
                    Math.min(rows, row + BLOCK_ROWS),
                    first,
                    last,
                    scratch);
              }
            }
          });
    }
  }

  private static void few(
      CpuTensor out,
      CpuTensor x,
      CpuTensor weight,
      boolean add,
      int from,
      int to,
      Scratch scratch) {
    int rows = (int) x.rows();
    int width = (int) x.width();
    int folds = width / Vectors.FOLD;
    int tail = width % Vectors.FOLD;
    int pieces = folds + 1;
    DType type = weight.type();
    Codec codec = Codec.of(type);
    float[] w = scratch.floats(WEIGHTS, Vectors.FOLD);
    PairCodec pairs = pairCodec(codec, weight);
    float[][] inputs = scratch.rows(INPUTS, rows * pieces, Vectors.FOLD);
    for (int r = 0; r < rows; r++) {
      for (int p = 0; p < folds; p++) {
        x.get(r, p * Vectors.FOLD, Vectors.FOLD, pairs == null ? inputs[r * pieces + p] : w, 0);
        if (pairs != null) {
          PairCodec.split(w, inputs[r * pieces + p]);
        }
      }
      x.get(r, folds * Vectors.FOLD, tail, inputs[r * pieces + folds], 0);
    }
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
      store(out, r, from, to - from, results[r], add, scratch);
    }
  }

  /** Returns the codec that decodes two elements at a time, if rows begin at whole words. */
  private static PairCodec pairCodec(Codec codec, CpuTensor weight) {
    return codec instanceof PairCodec && weight.width() % 2 == 0 ? (PairCodec) codec : null;
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
    DType type = weight.type();
    Codec codec = Codec.of(type);
    float[] w = scratch.floats(WEIGHTS, BLOCK_INPUTS);
    float[][] sums = scratch.rows(SUMS, BLOCK_OUTPUTS, BLOCK_ROWS);
    for (int o = 0; o < to - from; o++) {
      Arrays.fill(sums[o], 0, rows, 0f);
    }
    float[][] inputs = scratch.rows(INPUTS, BLOCK_INPUTS, BLOCK_ROWS);
    for (int k = 0; k < width; k += BLOCK_INPUTS) {
      int count = Math.min(width - k, BLOCK_INPUTS);
      transpose(inputs, x, firstRow, rows, k, count, scratch.floats(STAGING, BLOCK_INPUTS));
      int skip = (int) type.bytes(k);
      for (int o = from; o < to; o++) {
        codec.decode(weight.segment(o), weight.offset(o) + skip, count, w, 0, scratch);
        addProducts(sums[o - from], w, inputs, count, rows);
      }
    }
    float[] result = scratch.floats(STAGING, BLOCK_OUTPUTS);
    for (int r = 0; r < rows; r++) {
      for (int o = 0; o < to - from; o++) {
        result[o] = sums[o][r];
      }
      store(out, firstRow + r, from, to - from, result, add, scratch);
    }
  }

  private static void transpose(
      float[][] inputs, CpuTensor x, int firstRow, int rows, int k, int count, float[] staging) {
    for (int r = 0; r < rows; r++) {
      x.get(firstRow + r, k, count, staging, 0);
      for (int i = 0; i < count; i++) {
        inputs[i][r] = staging[i];
      }
    }
  }

  private static void addProducts(float[] sums, float[] w, float[][] inputs, int count, int rows) {
    int k = 0;
    for (; k <= count - 4; k += 4) {
      Vectors.addScaled(
          sums,
          w[k],
          inputs[k],
          w[k + 1],
          inputs[k + 1],
          w[k + 2],
          inputs[k + 2],
          w[k + 3],
          inputs[k + 3],
          rows);
    }
    for (; k < count; k++) {
      Vectors.addScaled(sums, w[k], inputs[k], rows);
    }
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
