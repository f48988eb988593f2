package dev.llama.cpu;

import dev.llama.spi.AttentionDropout;
import dev.llama.spi.AttentionSpec;
import java.util.Arrays;

/**
 * Attention in plain Java. Query heads that share a key head are done together, a few rows at a
 * time, so that a block of keys and values is read once for all of them; the softmax is kept up
 * from block to block (Milakov and Gimelshein 2018), so that memory does not grow with the context.
 */
final class JavaAttention implements Attention {
  private static final int ROWS = 16;
  private static final int BLOCK = 64;

  private static final int KEYS = 1;
  private static final int FLAT = 2;
  private static final int SCORES = 3;
  private static final int MAXIMA = 4;
  private static final int SUMS = 5;
  private static final int QUERIES = 1;
  private static final int RESULTS = 2;
  private static final int VALUES = 3;

  private final WorkerPool pool;
  private final Loops loops;

  /** Attends with the loops of plain Java. */
  JavaAttention(WorkerPool pool) {
    this(pool, Loops.PLAIN);
  }

  /** Attends with given loops. */
  JavaAttention(WorkerPool pool, Loops loops) {
    this.pool = pool;
    this.loops = loops;
  }

  @Override
  public void append(CpuTensor k, CpuTensor v, CpuBatch.Run run, AttentionSpec spec) {
    long each = 2L * spec.keyValueHeads() * spec.headDim();
    KeyValues source = new KeyValues(run, k, v, spec);
    pool.parallelFor(run.count, Work.grain(pool, run.count, each), source::append);
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
    int blocks = (run.count + ROWS - 1) / ROWS;
    int last = run.firstPosition + run.count - source.begin();
    int reach = spec.window() == 0 ? last : Math.min(last, spec.window());
    int rows = Math.min(ROWS, run.count);
    long each = 2L * rows * reach * spec.headDim() * (spec.heads() / heads);
    pool.parallelFor(
        blocks * heads,
        Work.grain(pool, blocks * heads, each),
        (from, to, scratch) -> {
          for (int i = from; i < to; i++) {
            // Later rows have more to attend to: they come first, or they would be waited for.
            int row = (blocks - 1 - i / heads) * ROWS;
            new Rows(source, run, spec, i % heads, row, scratch).attend(q, out, lse);
          }
        });
  }

  /** A few rows of a run, and all query heads of one key head. */
  private final class Rows {
    private final KeyValues source;
    private final CpuBatch.Run run;
    private final AttentionSpec spec;
    private final int keyHead;
    private final int firstRow; // in the run
    private final int rows;
    private final int group; // query heads per key head
    private final Scratch scratch;
    private final float[][] queries; // [rows * group][headDim]
    private final float[][] results; // [rows * group][headDim]
    private final float[] maxima; // [rows * group]
    private final float[] sums; // [rows * group]
    private final float[] scores; // [BLOCK]
    private final AttentionDropout dropped; // or null

    Rows(
        KeyValues source,
        CpuBatch.Run run,
        AttentionSpec spec,
        int keyHead,
        int firstRow,
        Scratch scratch) {
      this.source = source;
      this.run = run;
      this.spec = spec;
      this.keyHead = keyHead;
      this.firstRow = firstRow;
      this.scratch = scratch;
      rows = Math.min(ROWS, run.count - firstRow);
      group = spec.heads() / spec.keyValueHeads();
      queries = scratch.rows(QUERIES, rows * group, spec.headDim());
      results = scratch.rows(RESULTS, rows * group, spec.headDim());
      maxima = scratch.floats(MAXIMA, rows * group);
      sums = scratch.floats(SUMS, rows * group);
      scores = scratch.floats(SCORES, BLOCK);
      dropped = spec.dropout().orElse(null);
    }

    void attend(CpuTensor q, CpuTensor out, CpuTensor lse) {
      int size = spec.headDim();
      for (int i = 0; i < rows * group; i++) {
        q.get(run.firstRow + firstRow + i / group, column(i), size, queries[i], 0);
        Vectors.scale(queries[i], spec.scale(), size);
        Arrays.fill(results[i], 0, size, 0f);
        maxima[i] = Float.NEGATIVE_INFINITY;
        sums[i] = 0;
      }
      float[] keys = scratch.floats(KEYS, BLOCK * size);
      float[] flat = scratch.floats(FLAT, BLOCK * size);
      float[][] values = scratch.rows(VALUES, BLOCK, size);
      int end = run.firstPosition + firstRow + rows;
      int position = firstVisible(0);
      while (position < end) {
        int next = Math.min(source.blockEnd(position, end), position + BLOCK);
        source.read(false, keyHead, position, next - position, keys, 0, scratch);
        source.read(true, keyHead, position, next - position, flat, 0, scratch);
        for (int j = 0; j < next - position; j++) {
          System.arraycopy(flat, j * size, values[j], 0, size);
        }
        for (int i = 0; i < rows * group; i++) {
          block(i, position, next, keys, values);
        }
        position = next;
      }
      for (int i = 0; i < rows * group; i++) {
        Vectors.scale(results[i], 1 / sums[i], size);
        int row = run.firstRow + firstRow + i / group;
        out.put(row, column(i), size, results[i], 0);
        if (lse != null) {
          lse.putFloat(row, column(i) / size, (float) (maxima[i] + Math.log(sums[i])));
        }
      }
    }

    private int column(int i) {
      return (keyHead * group + i % group) * spec.headDim();
    }

    private int firstVisible(int row) {
      int position = run.firstPosition + firstRow + row;
      return spec.window() == 0
          ? source.begin()
          : Math.max(source.begin(), position - spec.window() + 1);
    }

    /** Lets one query see the part of a block that it may see. */
    private void block(int i, int begin, int end, float[] keys, float[][] values) {
      int from = Math.max(begin, firstVisible(i / group)) - begin;
      int to = Math.min(end, run.firstPosition + firstRow + i / group + 1) - begin;
      if (from >= to) {
        return;
      }
      int size = spec.headDim();
      for (int j = from; j < to; j++) {
        scores[j] = loops.dot(queries[i], 0, keys, j * size, size, scratch);
      }
      float max = Vectors.max(scores, from, to, maxima[i]);
      if (max > maxima[i]) {
        float factor = Functions.exp(maxima[i] - max);
        Vectors.scale(results[i], factor, size);
        sums[i] *= factor;
        maxima[i] = max;
      }
      for (int j = 0; j < to; j++) {
        scores[j] -= max;
      }
      Functions.exp(scores, to, scratch);
      Arrays.fill(scores, 0, from, 0f);
      sums[i] += Vectors.sum(scores, to);
      if (dropped != null) {
        drop(i, begin, from, to);
      }
      addValues(results[i], values, from, to);
    }

    /** Sets weights to 0, and makes the others larger; the sum of all remains as it was. */
    private void drop(int i, int begin, int from, int to) {
      int row = run.firstRow + firstRow + i / group;
      int head = keyHead * group + i % group;
      CpuTensor seed = (CpuTensor) dropped.seed();
      int hash =
          AttentionDropout.queryHash(seed.getInt(0), seed.getInt(1), spec.layer(), head, row);
      int firstKey = run.firstRow + begin - run.firstPosition;
      for (int j = from; j < to; j++) {
        boolean kept = AttentionDropout.keeps(hash, firstKey + j, dropped.threshold());
        scores[j] *= kept ? dropped.factor() : 0f;
      }
    }

    private void addValues(float[] result, float[][] values, int from, int to) {
      int size = spec.headDim();
      int j = from;
      for (; j <= to - 4; j += 4) {
        Vectors.addScaled(
            result,
            scores[j],
            values[j],
            scores[j + 1],
            values[j + 1],
            scores[j + 2],
            values[j + 2],
            scores[j + 3],
            values[j + 3],
            size);
      }
      for (; j < to; j++) {
        Vectors.addScaled(result, scores[j], values[j], size);
      }
    }
  }
}
