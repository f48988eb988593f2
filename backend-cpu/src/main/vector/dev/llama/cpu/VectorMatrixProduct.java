package dev.llama.cpu;

import static dev.llama.cpu.VectorCodecs.FLOATS;
import static dev.llama.cpu.VectorLoops.LANES_SLOT;

import dev.llama.DType;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/**
 * Products with the Vector API. Weights are decoded to floats, four rows and CHUNK columns at a
 * time, and multiplied with all rows of a block of x, three at a time: twelve sums in registers,
 * for which seven vectors are read.
 */
final class VectorMatrixProduct implements MatrixProduct {
  /** Rows of x that a decoded piece of weights is used for: what the second-level cache holds. */
  private static final int BLOCK_ROWS = 96;

  private static final int OUTPUTS = 4;
  private static final int CHUNK = Codec.CHUNK;
  private static final int LANES = FLOATS.length();

  private static final int WEIGHTS = 1;
  private static final int INPUTS = 2;
  private static final int SUMS = 3;

  private final WorkerPool pool;

  VectorMatrixProduct(WorkerPool pool) {
    this.pool = pool;
  }

  @Override
  public void multiply(CpuTensor out, CpuTensor x, CpuTensor weight, boolean add) {
    int rows = (int) x.rows();
    int outputs = (int) weight.rows();
    VectorDots dots = rows == 1 ? VectorDots.of(weight.type()) : null;
    if (dots != null) {
      multiplyRow(out, x, weight, dots, add);
      return;
    }
    pool.parallelFor(
        outputs,
        Work.grain(pool, outputs, x.width() * rows),
        (from, to, scratch) -> {
          for (int row = 0; row < rows; row += BLOCK_ROWS) {
            int count = Math.min(BLOCK_ROWS, rows - row);
            new Block(out, x, weight, add, row, count, from, to, scratch).multiply();
          }
        });
  }

  /** One row of x, as in generation: weights are used once, so they are not decoded first. */
  private void multiplyRow(
      CpuTensor out, CpuTensor x, CpuTensor weight, VectorDots dots, boolean add) {
    int outputs = (int) weight.rows();
    int width = (int) x.width();
    pool.parallelFor(
        outputs,
        Work.grain(pool, outputs, width),
        (from, to, scratch) -> {
          float[] input = scratch.floats(INPUTS, width);
          float[] sums = scratch.floats(SUMS, to - from);
          x.get(0, 0, width, input, 0);
          if (add) {
            out.get(0, from, to - from, sums, 0);
          } else {
            Arrays.fill(sums, 0, to - from, 0f);
          }
          for (int o = from; o < to; o++) {
            sums[o - from] += dots.dot(weight.segment(o), weight.offset(o), input, width, scratch);
          }
          out.put(0, from, to - from, sums, 0);
        });
  }

  /** Some rows of x and some outputs, on one thread. */
  private static final class Block {
    private final CpuTensor out;
    private final CpuTensor x;
    private final CpuTensor weight;
    private final boolean add;
    private final int firstRow;
    private final int rows;
    private final int from;
    private final int to;
    private final Scratch scratch;
    private final Codec codec;
    private final float[] weights; // [OUTPUTS, CHUNK]
    private final float[] inputs; // [rows, CHUNK]
    private final float[] sums; // [rows, to - from]
    private final float[] lanes;

    Block(
        CpuTensor out,
        CpuTensor x,
        CpuTensor weight,
        boolean add,
        int firstRow,
        int rows,
        int from,
        int to,
        Scratch scratch) {
      this.out = out;
      this.x = x;
      this.weight = weight;
      this.add = add;
      this.firstRow = firstRow;
      this.rows = rows;
      this.from = from;
      this.to = to;
      this.scratch = scratch;
      codec = VectorCodecs.of(weight.type());
      weights = scratch.floats(WEIGHTS, OUTPUTS * CHUNK);
      inputs = scratch.floats(INPUTS, rows * CHUNK);
      sums = scratch.floats(SUMS, rows * (to - from));
      lanes = scratch.floats(LANES_SLOT, LANES);
    }

    void multiply() {
      int width = (int) x.width();
      int outputs = to - from;
      for (int r = 0; r < rows; r++) {
        if (add) {
          out.get(firstRow + r, from, outputs, sums, r * outputs);
        } else {
          Arrays.fill(sums, r * outputs, (r + 1) * outputs, 0f);
        }
      }
      DType type = weight.type();
      for (int column = 0; column < width; column += CHUNK) {
        int count = Math.min(CHUNK, width - column);
        int offset = (int) type.bytes(column);
        for (int r = 0; r < rows; r++) {
          x.get(firstRow + r, column, count, inputs, r * CHUNK);
        }
        for (int o = from; o < to; o += OUTPUTS) {
          int some = Math.min(OUTPUTS, to - o);
          for (int i = 0; i < some; i++) {
            codec.decode(
                weight.segment(o + i),
                weight.offset(o + i) + offset,
                count,
                weights,
                i * CHUNK,
                scratch);
          }
          if (some == OUTPUTS) {
            fourOutputs(o - from, outputs, count);
          } else {
            fewOutputs(o - from, some, outputs, count);
          }
        }
      }
      for (int r = 0; r < rows; r++) {
        out.put(firstRow + r, from, outputs, sums, r * outputs);
      }
    }

    private void fourOutputs(int o, int outputs, int count) {
      int r = 0;
      for (; r <= rows - 3; r += 3) {
        fourByThree(weights, inputs, r * CHUNK, count, sums, r * outputs + o, outputs, lanes);
      }
      for (; r < rows; r++) {
        fourByOne(weights, inputs, r * CHUNK, count, sums, r * outputs + o, lanes);
      }
    }

    private void fewOutputs(int o, int some, int outputs, int count) {
      for (int i = 0; i < some; i++) {
        for (int r = 0; r < rows; r++) {
          oneByOne(weights, i * CHUNK, inputs, r * CHUNK, count, sums, r * outputs + o + i, lanes);
        }
      }
    }
  }

  /** All kernels add up in this order: how outputs are shared out must not change a result. */
  private static void oneByOne(
      float[] w, int wAt, float[] x, int at, int count, float[] sums, int sum, float[] lanes) {
    FloatVector s = FloatVector.zero(FLOATS);
    int i = 0;
    for (; i <= count - LANES; i += LANES) {
      s =
          FloatVector.fromArray(FLOATS, w, wAt + i)
              .fma(FloatVector.fromArray(FLOATS, x, at + i), s);
    }
    sums[sum] += VectorLoops.total(s, lanes);
    sums[sum] += rest(w, wAt + i, x, at + i, count - i);
  }

  private static void fourByOne(
      float[] w, float[] x, int at, int count, float[] sums, int sum, float[] lanes) {
    FloatVector s0 = FloatVector.zero(FLOATS);
    FloatVector s1 = s0;
    FloatVector s2 = s0;
    FloatVector s3 = s0;
    int i = 0;
    for (; i <= count - LANES; i += LANES) {
      FloatVector v = FloatVector.fromArray(FLOATS, x, at + i);
      s0 = FloatVector.fromArray(FLOATS, w, i).fma(v, s0);
      s1 = FloatVector.fromArray(FLOATS, w, CHUNK + i).fma(v, s1);
      s2 = FloatVector.fromArray(FLOATS, w, 2 * CHUNK + i).fma(v, s2);
      s3 = FloatVector.fromArray(FLOATS, w, 3 * CHUNK + i).fma(v, s3);
    }
    add(s0, s1, s2, s3, sums, sum, lanes);
    for (int o = 0; o < OUTPUTS; o++) {
      sums[sum + o] += rest(w, o * CHUNK + i, x, at + i, count - i);
    }
  }

  /** The sums of a row of x are {@code stride} before those of the next. */
  private static void fourByThree(
      float[] w, float[] x, int at, int count, float[] sums, int sum, int stride, float[] lanes) {
    FloatVector s00 = FloatVector.zero(FLOATS);
    FloatVector s01 = s00;
    FloatVector s02 = s00;
    FloatVector s10 = s00;
    FloatVector s11 = s00;
    FloatVector s12 = s00;
    FloatVector s20 = s00;
    FloatVector s21 = s00;
    FloatVector s22 = s00;
    FloatVector s30 = s00;
    FloatVector s31 = s00;
    FloatVector s32 = s00;
    int i = 0;
    for (; i <= count - LANES; i += LANES) {
      FloatVector x0 = FloatVector.fromArray(FLOATS, x, at + i);
      FloatVector x1 = FloatVector.fromArray(FLOATS, x, at + CHUNK + i);
      FloatVector x2 = FloatVector.fromArray(FLOATS, x, at + 2 * CHUNK + i);
      FloatVector v = FloatVector.fromArray(FLOATS, w, i);
      s00 = v.fma(x0, s00);
      s01 = v.fma(x1, s01);
      s02 = v.fma(x2, s02);
      v = FloatVector.fromArray(FLOATS, w, CHUNK + i);
      s10 = v.fma(x0, s10);
      s11 = v.fma(x1, s11);
      s12 = v.fma(x2, s12);
      v = FloatVector.fromArray(FLOATS, w, 2 * CHUNK + i);
      s20 = v.fma(x0, s20);
      s21 = v.fma(x1, s21);
      s22 = v.fma(x2, s22);
      v = FloatVector.fromArray(FLOATS, w, 3 * CHUNK + i);
      s30 = v.fma(x0, s30);
      s31 = v.fma(x1, s31);
      s32 = v.fma(x2, s32);
    }
    add(s00, s10, s20, s30, sums, sum, lanes);
    add(s01, s11, s21, s31, sums, sum + stride, lanes);
    add(s02, s12, s22, s32, sums, sum + 2 * stride, lanes);
    for (int r = 0; r < 3; r++) {
      for (int o = 0; o < OUTPUTS; o++) {
        sums[sum + r * stride + o] += rest(w, o * CHUNK + i, x, at + r * CHUNK + i, count - i);
      }
    }
  }

  private static void add(
      FloatVector s0,
      FloatVector s1,
      FloatVector s2,
      FloatVector s3,
      float[] sums,
      int sum,
      float[] lanes) {
    sums[sum] += VectorLoops.total(s0, lanes);
    sums[sum + 1] += VectorLoops.total(s1, lanes);
    sums[sum + 2] += VectorLoops.total(s2, lanes);
    sums[sum + 3] += VectorLoops.total(s3, lanes);
  }

  private static float rest(float[] w, int wFrom, float[] x, int xFrom, int count) {
    float sum = 0;
    for (int i = 0; i < count; i++) {
      sum += w[wFrom + i] * x[xFrom + i];
    }
    return sum;
  }
}
