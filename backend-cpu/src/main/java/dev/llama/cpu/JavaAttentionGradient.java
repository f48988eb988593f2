package dev.llama.cpu;

import dev.llama.spi.AttentionDropout;
import dev.llama.spi.AttentionSpec;
import java.util.Arrays;

/**
 * Gradient of attention in plain Java (Dao et al. 2022, algorithm 4): probabilities are computed
 * again from the scores and the logarithm of their sums, a block of keys at a time, so that memory
 * grows with the rows and not with their square. For a query, with D = Σ dOut · out:
 *
 * <pre>
 * p[j]  = exp(scale * q · k[j] - lse)
 * ds[j] = p[j] * (dOut · v[j] * factor[j] - D) * scale        factor: of dropout
 * dQ   += Σ ds[j] k[j]      dK[j] += ds[j] q      dV[j] += p[j] * factor[j] * dOut
 * </pre>
 *
 * <p>A task is a key head of a run; where these are few, the blocks of keys are dealt out to
 * several tasks, whose contributions to dQ are added up at the end.
 */
final class JavaAttentionGradient implements AttentionGradient {
  private static final int BLOCK = 64; // keys
  private static final int ENOUGH_TASKS = 16;
  private static final int MOST_SHARES = 8;

  private static final int KEYS = 1;
  private static final int VALUES = 2;
  private static final int KEY_SUMS = 3;
  private static final int VALUE_SUMS = 4;
  private static final int QUERY = 1;
  private static final int GRADIENT = 2;
  private static final int RESULT = 3;
  private static final int WEIGHTS = 4;
  private static final int SLOPES = 5;
  private static final int NUMBER = 6;

  private final WorkerPool pool;
  private final Workspace workspace = new Workspace();

  JavaAttentionGradient(WorkerPool pool) {
    this.pool = pool;
  }

  @Override
  public void differentiate(AttentionTensors tensors, CpuBatch batch, AttentionSpec spec) {
    int heads = spec.keyValueHeads();
    int tasks = Math.multiplyExact(batch.runs(), heads);
    int shares = shares(tasks);
    int width = (int) tensors.dQ.width();
    Segment sums =
        workspace.take((long) shares * batch.rows() * width, "sums of attention's gradient");
    long each = 8L * batch.rows() / batch.runs() * batch.rows() / batch.runs() * width;
    pool.parallelFor(
        tasks * shares,
        Work.grain(pool, tasks * shares, each / shares),
        (from, to, scratch) -> {
          for (int i = from; i < to; i++) {
            CpuBatch.Run run = batch.run(i / shares / heads);
            int keyHead = i / shares % heads;
            int share = i % shares;
            new Task(tensors, run, spec, keyHead, scratch, sums, share * batch.rows())
                .run(share, shares);
          }
        });
    addShares(pool, tensors.dQ, sums, shares);
    workspace.give(sums);
  }

  /**
   * Adds what the shares have contributed to dQ, in their order.
   *
   * @param pool threads
   * @param dQ [rows, width], set
   * @param sums [shares, rows, width]
   * @param shares at least 1
   */
  static void addShares(WorkerPool pool, CpuTensor dQ, Segment sums, int shares) {
    int rows = (int) dQ.rows();
    int width = (int) dQ.width();
    pool.parallelFor(
        rows,
        Work.grain(pool, rows, (long) shares * width),
        (from, to, scratch) -> {
          float[] sum = scratch.floats(QUERY, width);
          float[] part = scratch.floats(GRADIENT, width);
          for (int r = from; r < to; r++) {
            sums.floats.get(r * width, sum, 0, width);
            for (int share = 1; share < shares; share++) {
              sums.floats.get((share * rows + r) * width, part, 0, width);
              Vectors.add(sum, part, width);
            }
            dQ.put(r, 0, width, sum, 0);
          }
        });
  }

  /** Returns among how many tasks the keys of a head are dealt out: by shapes alone. */
  static int shares(int tasks) {
    return Math.max(1, Math.min(MOST_SHARES, ENOUGH_TASKS / tasks));
  }

  /** The query heads of one key head in one run. */
  private static final class Task {
    private final AttentionTensors tensors;
    private final CpuBatch.Run run;
    private final AttentionSpec spec;
    private final int keyHead;
    private final int group; // query heads per key head
    private final int size; // headDim
    private final Scratch scratch;
    private final Segment sums; // dQ, of this share
    private final int firstSum; // row of it
    private final float[][] keys; // [BLOCK][size]
    private final float[][] values; // [BLOCK][size]
    private final float[][] keySums; // [BLOCK][size]
    private final float[][] valueSums; // [BLOCK][size]
    private final int[] seed = new int[2];

    Task(
        AttentionTensors tensors,
        CpuBatch.Run run,
        AttentionSpec spec,
        int keyHead,
        Scratch scratch,
        Segment sums,
        int firstSum) {
      this.tensors = tensors;
      this.run = run;
      this.spec = spec;
      this.keyHead = keyHead;
      this.scratch = scratch;
      this.sums = sums;
      this.firstSum = firstSum;
      group = spec.heads() / spec.keyValueHeads();
      size = spec.headDim();
      keys = scratch.rows(KEYS, BLOCK, size);
      values = scratch.rows(VALUES, BLOCK, size);
      keySums = scratch.rows(KEY_SUMS, BLOCK, size);
      valueSums = scratch.rows(VALUE_SUMS, BLOCK, size);
      if (spec.dropout().isPresent()) {
        CpuTensor numbers = (CpuTensor) spec.dropout().get().seed();
        seed[0] = numbers.getInt(0);
        seed[1] = numbers.getInt(1);
      }
    }

    void run(int share, int shares) {
      float[] zeros = scratch.floats(RESULT, group * size);
      Arrays.fill(zeros, 0, group * size, 0f);
      for (int r = 0; r < run.count; r++) {
        sums.floats.put(sumIndex(r, 0), zeros, 0, group * size);
      }
      for (int first = share * BLOCK; first < run.count; first += shares * BLOCK) {
        block(first, Math.min(BLOCK, run.count - first));
      }
    }

    private int sumIndex(int r, int head) {
      int width = spec.heads() * size;
      return (firstSum + run.firstRow + r) * width + (keyHead * group + head) * size;
    }

    /** Lets all queries that see a block of keys contribute to its gradients, and it to theirs. */
    private void block(int first, int count) {
      for (int j = 0; j < count; j++) {
        int row = run.firstRow + first + j;
        tensors.k.get(row, keyHead * size, size, keys[j], 0);
        tensors.v.get(row, keyHead * size, size, values[j], 0);
        Arrays.fill(keySums[j], 0, size, 0f);
        Arrays.fill(valueSums[j], 0, size, 0f);
      }
      int last = first + count - 1;
      int end =
          spec.window() == 0 ? run.count : (int) Math.min(run.count, (long) last + spec.window());
      for (int r = first; r < end; r++) {
        int begin = spec.window() == 0 ? 0 : Math.max(0, r - spec.window() + 1);
        for (int head = 0; head < group; head++) {
          query(r, head, first, Math.max(begin, first) - first, Math.min(r, last) + 1 - first);
        }
      }
      for (int j = 0; j < count; j++) {
        int row = run.firstRow + first + j;
        tensors.dK.put(row, keyHead * size, size, keySums[j], 0);
        tensors.dV.put(row, keyHead * size, size, valueSums[j], 0);
      }
    }

    /** One query, and the keys [from, to) of the block that begins at {@code first}. */
    private void query(int r, int head, int first, int from, int to) {
      int row = run.firstRow + r;
      int column = (keyHead * group + head) * size;
      float[] q = scratch.floats(QUERY, size);
      float[] gradient = scratch.floats(GRADIENT, size);
      float[] result = scratch.floats(RESULT, size);
      float[] weights = scratch.floats(WEIGHTS, BLOCK);
      float[] slopes = scratch.floats(SLOPES, BLOCK);
      float[] lse = scratch.floats(NUMBER, 1);
      tensors.q.get(row, column, size, q, 0);
      tensors.dOut.get(row, column, size, gradient, 0);
      tensors.out.get(row, column, size, result, 0);
      tensors.lse.get(row, keyHead * group + head, 1, lse, 0);
      float correction = Vectors.dot(gradient, 0, result, 0, size);
      for (int j = from; j < to; j++) {
        weights[j] = Vectors.dot(q, 0, keys[j], 0, size) * spec.scale() - lse[0];
        slopes[j] = Vectors.dot(gradient, 0, values[j], 0, size);
      }
      Arrays.fill(weights, 0, from, 0f); // beside what is seen
      Functions.exp(weights, to, scratch);
      sums.floats.get(sumIndex(r, head), result, 0, size);
      int hash = hash(row, head);
      for (int j = from; j < to; j++) {
        float factor = factor(hash, run.firstRow + first + j);
        float slope = weights[j] * (slopes[j] * factor - correction) * spec.scale();
        Vectors.addScaled(result, slope, keys[j], size);
        Vectors.addScaled(keySums[j], slope, q, size);
        Vectors.addScaled(valueSums[j], weights[j] * factor, gradient, size);
      }
      sums.floats.put(sumIndex(r, head), result, 0, size);
    }

    private int hash(int row, int head) {
      return AttentionDropout.queryHash(
          seed[0], seed[1], spec.layer(), keyHead * group + head, row);
    }

    private float factor(int hash, int keyRow) {
      if (spec.dropout().isEmpty()) {
        return 1f;
      }
      AttentionDropout dropout = spec.dropout().get();
      return AttentionDropout.keeps(hash, keyRow, dropout.threshold()) ? dropout.factor() : 0f;
    }
  }
}
