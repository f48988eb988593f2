package dev.llama.cpu;

import dev.llama.cpu.OpenBlas.Operands;
import dev.llama.cpu.OpenBlas.Place;
import dev.llama.spi.AttentionSpec;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.Arrays;

/**
 * Attention of many rows by OpenBLAS. A task takes a block of rows and the query heads that share a
 * key head, as one matrix of queries; scores and results are products of it with blocks of keys and
 * values, and the softmax is kept up from block to block. Few rows, and dropout, are left to
 * another way.
 */
final class BlasAttention implements Attention {
  private static final int MANY = 16; // rows of the query matrix; measured
  private static final int QUERIES = 256; // rows of the query matrix
  private static final int KEYS = 256; // positions in a block

  private final WorkerPool pool;
  private final OpenBlas blas;
  private final Attention few;

  /**
   * Puts it together.
   *
   * @param pool threads
   * @param blas the library
   * @param few attends for few rows
   */
  BlasAttention(WorkerPool pool, OpenBlas blas, Attention few) {
    this.pool = pool;
    this.blas = blas;
    this.few = few;
  }

  @Override
  public void append(CpuTensor k, CpuTensor v, CpuBatch.Run run, AttentionSpec spec) {
    few.append(k, v, run, spec);
  }

  @Override
  public void attend(
      CpuTensor out,
      CpuTensor lse,
      CpuTensor q,
      CpuTensor k,
      CpuTensor v,
      CpuBatch.Run run,
      AttentionSpec spec) {
    KeyValues source = new KeyValues(run, k, v, spec);
    int heads = spec.keyValueHeads();
    int group = spec.heads() / heads;
    if (run.count * group < MANY || spec.dropout().isPresent()) {
      few.attend(out, lse, q, k, v, run, spec);
      return;
    }
    int size = Math.max(1, QUERIES / group);
    int blocks = (run.count - 1) / size + 1;
    pool.parallelFor(
        blocks * heads,
        1,
        (from, to, scratch) -> {
          for (int i = from; i < to; i++) {
            // Later rows have more to attend to: they come first, or they would be waited for.
            int row = (blocks - 1 - i / heads) * size;
            int rows = Math.min(size, run.count - row);
            new Block(source, run, spec, i % heads, row, rows, scratch).attend(q, out, lse);
          }
        });
    Reference.reachabilityFence(source); // the addresses of its memory were in use
  }

  /** A block of rows of a run, and all query heads of one key head. */
  private final class Block {
    private final KeyValues source;
    private final CpuBatch.Run run;
    private final AttentionSpec spec;
    private final int keyHead;
    private final int firstRow; // in the run
    private final int rows;
    private final int group; // query heads per key head
    private final int size; // headDim
    private final Scratch scratch;
    private final Operands operands;
    private final Matrix queries; // [rows * group, headDim]
    private final Matrix scores; // [rows * group, KEYS]
    private final Matrix results; // [rows * group, headDim]
    private final float[] maxima; // [rows * group]
    private final float[] sums; // [rows * group]
    private final float[] line;

    Block(
        KeyValues source,
        CpuBatch.Run run,
        AttentionSpec spec,
        int keyHead,
        int firstRow,
        int rows,
        Scratch scratch) {
      this.source = source;
      this.run = run;
      this.spec = spec;
      this.keyHead = keyHead;
      this.firstRow = firstRow;
      this.rows = rows;
      this.scratch = scratch;
      group = spec.heads() / spec.keyValueHeads();
      size = spec.headDim();
      operands = Operands.of(scratch);
      queries = new Matrix(scratch, 1, rows * group * size);
      scores = new Matrix(scratch, 2, rows * group * KEYS);
      results = new Matrix(scratch, 3, rows * group * size);
      maxima = scratch.floats(1, rows * group);
      sums = scratch.floats(2, rows * group);
      line = scratch.floats(3, Math.max(KEYS, group * size));
    }

    void attend(CpuTensor q, CpuTensor out, CpuTensor lse) {
      Arrays.fill(maxima, 0, rows * group, Float.NEGATIVE_INFINITY);
      Arrays.fill(sums, 0, rows * group, 0f);
      // Query heads that share a key head lie side by side: a row of q gives `group` rows here.
      int width = group * size;
      Arrays.fill(line, 0, width, 0f);
      for (int r = 0; r < rows; r++) {
        results.floats.put(r * width, line, 0, width);
      }
      for (int r = 0; r < rows; r++) {
        q.get(run.firstRow + firstRow + r, keyHead * width, width, line, 0);
        queries.floats.put(r * width, line, 0, width);
      }
      int end = run.firstPosition + firstRow + rows;
      for (int begin = firstVisible(0); begin < end; begin += KEYS) {
        block(begin, Math.min(end, begin + KEYS));
      }
      for (int r = 0; r < rows; r++) {
        int row = run.firstRow + firstRow + r;
        results.floats.get(r * width, line, 0, width);
        for (int h = 0; h < group; h++) {
          float inverse = 1 / sums[r * group + h];
          for (int d = 0; d < size; d++) {
            line[h * size + d] *= inverse;
          }
          if (lse != null) {
            float value = (float) (maxima[r * group + h] + Math.log(sums[r * group + h]));
            lse.putFloat(row, keyHead * group + h, value);
          }
        }
        out.put(row, keyHead * width, width, line, 0);
      }
    }

    private int position(int row) {
      return run.firstPosition + firstRow + row;
    }

    private int firstVisible(int row) {
      return spec.window() == 0
          ? source.begin()
          : Math.max(source.begin(), position(row) - spec.window() + 1);
    }

    /** Lets all rows see the part of a block of positions that they may see. */
    private void block(int begin, int end) {
      int firstSeeing = Math.max(0, begin - position(0)); // rows before it are too early
      int skipped = firstSeeing * group;
      int count = rows * group - skipped;
      operands.a.at(queries.address + 4L * skipped * size);
      for (int at = begin, next; at < end; at = next) {
        next = source.blockEnd(at, end);
        operands.c.at(scores.address + 4L * (skipped * KEYS + at - begin));
        int stride = load(false, at, next, operands.b);
        blas.productTransposed(
            count,
            next - at,
            size,
            spec.scale(),
            operands.a,
            size,
            operands.b,
            stride,
            0f,
            operands.c,
            KEYS);
      }
      for (int i = skipped; i < rows * group; i++) {
        softmax(i, begin, end);
      }
      operands.c.at(results.address + 4L * skipped * size);
      for (int at = begin, next; at < end; at = next) {
        next = source.blockEnd(at, end);
        operands.a.at(scores.address + 4L * (skipped * KEYS + at - begin));
        int stride = load(true, at, next, operands.b);
        blas.product(
            count, size, next - at, operands.a, KEYS, operands.b, stride, 1f, operands.c, size);
      }
    }

    /** Points at keys or values, decoded if need be, and returns the distance of positions. */
    private int load(boolean values, int from, int to, Place place) {
      if (run.cache == null) {
        Segment segment = source.segment(values, from);
        place.at(segment, 4L * source.index(values, keyHead, from));
        return source.stride();
      }
      float[] decoded = scratch.floats(4, (to - from) * size);
      source.read(values, keyHead, from, to - from, decoded, 0, scratch);
      Matrix matrix = new Matrix(scratch, 4, (to - from) * size);
      matrix.floats.put(0, decoded, 0, (to - from) * size);
      place.at(matrix.address);
      return size;
    }

    /** Turns the scores of one query into weights, and its results so far to the new maximum. */
    private void softmax(int i, int begin, int end) {
      int from = Math.max(begin, firstVisible(i / group)) - begin;
      int to = Math.min(end, position(i / group) + 1) - begin;
      int count = end - begin;
      if (from >= to) {
        Arrays.fill(line, 0, count, 0f);
        scores.floats.put(i * KEYS, line, 0, count);
        return;
      }
      scores.floats.get(i * KEYS, line, 0, count);
      float max = Vectors.max(line, from, to, maxima[i]);
      for (int j = 0; j < count; j++) {
        line[j] -= max;
      }
      Functions.exp(line, count, scratch);
      Arrays.fill(line, 0, from, 0f);
      Arrays.fill(line, to, count, 0f);
      float sum = Vectors.sum(line, count);
      scores.floats.put(i * KEYS, line, 0, count);
      if (max > maxima[i]) {
        float factor = Functions.exp(maxima[i] - max);
        sums[i] *= factor;
        maxima[i] = max;
        results.floats.get(i * size, line, 0, size);
        Vectors.scale(line, factor, size);
        results.floats.put(i * size, line, 0, size);
      }
      sums[i] += sum;
    }
  }

  /** Work space outside the heap. */
  private static final class Matrix {
    final FloatBuffer floats;
    final long address;

    Matrix(Scratch scratch, int slot, int elements) {
      ByteBuffer buffer = scratch.direct(slot, elements * 4);
      floats = buffer.asFloatBuffer();
      address = OpenBlas.address(buffer);
    }
  }
}
