package dev.llama.cpu;

import dev.llama.DType;
import dev.llama.spi.AttentionSpec;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Attention by the kernels in C, which walk the pages of a cache without copying them. A task is
 * one key head with some rows; for a single row, some key heads, or a part of the positions where
 * there are many: memory is then read in the order in which it lies.
 */
final class NativeAttention implements Attention {
  private static final int WORK = 5; // slot of the kernel's work space
  private static final int BLOCK = 64; // as in attention.c
  private static final int QUERIES = 64; // of a task: a block of keys is decoded once for them
  private static final int PART = 256; // positions, at least
  private static final int PARTS_PER_THREAD = 4;
  private static final int HEADS = 16; // as in attention.c

  private final WorkerPool pool;
  private final Attention other;
  private final AtomicReference<Job> spare = new AtomicReference<>();

  /**
   * Puts it together. The library must be loaded.
   *
   * @param pool threads
   * @param other attends where dropout is wanted, or activations exceed 1 GiB
   */
  NativeAttention(WorkerPool pool, Attention other) {
    this.pool = pool;
    this.other = other;
  }

  @Override
  public void append(CpuTensor k, CpuTensor v, CpuBatch.Run run, AttentionSpec spec) {
    if (!isContiguous(k, run) || !isContiguous(v, run)) {
      other.append(k, v, run, spec);
      return;
    }
    Job job = take();
    try {
      job.setCache(run, spec, run.firstPosition, run.firstPosition + run.count);
      job.k = k;
      job.v = v;
      job.appends = true;
      long each = 2L * spec.keyValueHeads() * spec.headDim();
      job.run(pool, run.count, each);
    } finally {
      give(job);
    }
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
    if (spec.dropout().isPresent()
        || !isContiguous(out, run)
        || !isContiguous(q, run)
        || (run.cache == null && !(isContiguous(k, run) && isContiguous(v, run)))) {
      other.attend(out, lse, q, k, v, run, spec);
      return;
    }
    Job job = take();
    try {
      job.k = k;
      job.v = v;
      job.q = q;
      job.out = out;
      job.lse = lse;
      job.appends = false;
      if (run.cache == null) {
        job.setRows(run, spec);
      } else {
        int first = run.firstPosition - spec.window() + 1;
        job.setCache(
            run, spec, spec.window() == 0 ? 0 : Math.max(0, first), run.firstPosition + run.count);
      }
      job.attend(pool);
    } finally {
      give(job);
    }
  }

  /** Whether the rows of a run lie in one segment, as the kernels want them. */
  private static boolean isContiguous(CpuTensor tensor, CpuBatch.Run run) {
    return tensor.rowsInSegment(run.firstRow) >= run.count;
  }

  private Job take() {
    Job job = spare.getAndSet(null);
    return job == null ? new Job() : job;
  }

  private void give(Job job) {
    job.clear();
    spare.set(job);
  }

  /** One call: what all its tasks share. Used again, so that calls allocate nothing. */
  private static final class Job implements WorkerPool.Task {
    // struct attention in kernels.h
    private static final int TYPE = 0;
    private static final int OUT = 8;
    private static final int OUT_STRIDE = 16;
    private static final int Q = 24;
    private static final int Q_STRIDE = 32;
    private static final int GROUP = 40;
    private static final int SIZE = 48;
    private static final int POSITION = 56;
    private static final int WINDOW = 64;
    private static final int END = 72;
    private static final int BLOCK_SIZE = 80;
    private static final int BY_POSITION = 88;
    private static final int STEP = 96;
    private static final int KEYS = 104;
    private static final int KEY_HEAD = 112;
    private static final int VALUES = 120;
    private static final int VALUE_HEAD = 128;
    private static final int SCALE = 136;
    private static final int BLOCKS = 144;

    private ByteBuffer described = ByteBuffer.allocateDirect(0);
    private long description; // its address
    private ByteBuffer partial = ByteBuffer.allocateDirect(0);

    private boolean appends;
    private CpuTensor k;
    private CpuTensor v;
    private CpuTensor q;
    private CpuTensor out;
    private CpuTensor lse;
    private CpuBatch.Run batch; // the rows
    private int heads; // key heads
    private int group;
    private int size;
    private int begin; // first position that is seen by any row, counted as in the description
    private int end;
    private int rows; // of a task
    private int blocks; // of so many rows
    private int parts; // of the positions
    private int headsPerTask;
    private int headTasks; // of so many heads

    /** Describes positions in a cache; they are counted from the first one's block on. */
    void setCache(CpuBatch.Run run, AttentionSpec spec, int from, int to) {
      CpuKvCache cache = run.cache;
      int block = cache.pagePositions();
      int skipped = from / block * block;
      int count = (to - skipped - 1) / block + 1;
      set(run, spec, run.firstPosition - skipped, from - skipped, to - skipped, count);
      described.putLong(TYPE, NativeKernels.format(cache.shape().type()));
      described.putLong(BLOCK_SIZE, block);
      described.putLong(BY_POSITION, 0);
      described.putLong(KEYS, cache.keyIndex(spec.layer(), 0));
      described.putLong(VALUES, cache.valueIndex(spec.layer(), 0, 0));
      described.putLong(KEY_HEAD, (long) block * size);
      described.putLong(VALUE_HEAD, (long) block * size);
      for (int i = 0; i < count; i++) {
        Segment page = cache.page(skipped + i * block).data;
        described.putLong(BLOCKS + i * Long.BYTES, NativeLibrary.address(page));
      }
    }

    /** Describes the rows of a sequence that has no cache. */
    void setRows(CpuBatch.Run run, AttentionSpec spec) {
      int count = (run.count - 1) / BLOCK + 1;
      set(run, spec, 0, 0, run.count, count);
      long step = (long) heads * size;
      long keys = NativeLibrary.address(k, run.firstRow);
      described.putLong(TYPE, NativeKernels.format(DType.F32));
      described.putLong(BLOCK_SIZE, BLOCK);
      described.putLong(BY_POSITION, 1);
      described.putLong(STEP, step);
      described.putLong(KEYS, 0);
      described.putLong(VALUES, (NativeLibrary.address(v, run.firstRow) - keys) / Float.BYTES);
      described.putLong(KEY_HEAD, size);
      described.putLong(VALUE_HEAD, size);
      for (int i = 0; i < count; i++) {
        described.putLong(BLOCKS + i * Long.BYTES, keys + i * BLOCK * step * Float.BYTES);
      }
    }

    private void set(
        CpuBatch.Run run, AttentionSpec spec, int position, int from, int to, int count) {
      int bytes = BLOCKS + count * Long.BYTES;
      if (described.capacity() < bytes) {
        described = ByteBuffer.allocateDirect(2 * bytes).order(ByteOrder.nativeOrder());
        description = NativeLibrary.address(described);
      }
      batch = run;
      heads = spec.keyValueHeads();
      group = spec.heads() / heads;
      size = spec.headDim();
      begin = from;
      end = to;
      described.putLong(GROUP, group);
      described.putLong(SIZE, size);
      described.putLong(POSITION, position);
      described.putLong(WINDOW, spec.window());
      described.putLong(END, to);
      described.putFloat(SCALE, spec.scale());
    }

    void attend(WorkerPool pool) {
      described.putLong(OUT, NativeLibrary.address(out, batch.firstRow));
      described.putLong(OUT_STRIDE, out.width());
      described.putLong(Q, NativeLibrary.address(q, batch.firstRow));
      described.putLong(Q_STRIDE, q.width());
      rows = batch.count == 1 ? 1 : Math.max(1, QUERIES / group);
      blocks = (batch.count - 1) / rows + 1;
      parts = parts(pool);
      headsPerTask = headsPerTask(pool);
      headTasks = (heads - 1) / headsPerTask + 1;
      int tasks = Math.multiplyExact(blocks * headTasks, parts);
      long each = 2L * (end - begin) * size * group * Math.min(rows, batch.count);
      if (parts > 1) {
        int bytes = Math.multiplyExact(parts * heads, partBytes());
        if (partial.capacity() < bytes) {
          partial = ByteBuffer.allocateDirect(bytes);
        }
      }
      run(pool, tasks, each * headsPerTask / parts);
      if (parts > 1) {
        long at = NativeLibrary.address(partial);
        long step = (long) heads * partBytes() / Float.BYTES;
        for (int head = 0; head < heads; head++) {
          long first = at + (long) head * partBytes();
          NativeKernels.attentionMerge(description, head, 0, first, step, parts);
        }
      }
    }

    /** Splits the positions of a single row with a long context. */
    private int parts(WorkerPool pool) {
      if (batch.count > 1 || lse != null || pool.threads() == 1) {
        return 1;
      }
      return Math.max(1, Math.min((end - begin) / PART, PARTS_PER_THREAD * pool.threads()));
    }

    private int headsPerTask(WorkerPool pool) {
      if (batch.count > 1 || lse != null) {
        return 1;
      }
      return parts > 1 ? heads : (heads - 1) / pool.threads() + 1;
    }

    private int partBytes() {
      return Math.multiplyExact(group * (size + 2), Float.BYTES);
    }

    void run(WorkerPool pool, int tasks, long each) {
      pool.parallelFor(tasks, Work.grain(pool, tasks, each), this);
    }

    @Override
    public void run(int from, int to, Scratch scratch) {
      if (appends) {
        NativeKernels.append(
            description,
            NativeLibrary.address(k, batch.firstRow + from),
            k.width(),
            NativeLibrary.address(v, batch.firstRow + from),
            v.width(),
            heads,
            from,
            to - from);
        return;
      }
      int queries = Math.min(rows, batch.count) * group;
      int stateBytes = 2 * queries * Float.BYTES;
      int together = Math.min(headsPerTask, HEADS);
      int workBytes = Math.multiplyExact(together * workFloats(queries), Float.BYTES);
      ByteBuffer work = scratch.direct(WORK, Math.addExact(workBytes, stateBytes));
      long address = NativeLibrary.address(work);
      for (int i = from; i < to; i++) {
        task(i, work, address, lse == null ? 0 : workBytes);
      }
    }

    /** As attention.c lays them out, at the widest vectors. */
    private int workFloats(int queries) {
      int width = (size + 15) / 16 * 16;
      long floats = (long) queries * (width + BLOCK + 2 + size) + 2L * BLOCK * width + 64;
      return Math.toIntExact(floats);
    }

    private void task(int i, ByteBuffer work, long address, int states) {
      int part = i % parts;
      int head = i / parts % headTasks * headsPerTask;
      // Later rows have more to attend to: they come first, or they would be waited for.
      int firstRow = (blocks - 1 - i / parts / headTasks) * rows;
      int count = Math.min(rows, batch.count - firstRow);
      NativeKernels.attention(
          description,
          head,
          Math.min(headsPerTask, heads - head),
          firstRow,
          count,
          partBegin(part),
          partBegin(part + 1),
          address,
          parts == 1 ? 0 : NativeLibrary.address(partial) + (long) part * heads * partBytes(),
          states == 0 ? 0 : address + states);
      if (states > 0) {
        putLse(head, firstRow, count, work, states);
      }
    }

    /** Whole blocks, so that no two tasks read the same one. */
    private int partBegin(int part) {
      if (part == parts) {
        return end;
      }
      int at = begin + (int) ((long) (end - begin) * part / parts);
      return part == 0 ? begin : at / BLOCK * BLOCK;
    }

    private void putLse(int head, int firstRow, int count, ByteBuffer work, int states) {
      int queries = count * group;
      for (int i = 0; i < queries; i++) {
        float largest = work.getFloat(states + i * Float.BYTES);
        float sum = work.getFloat(states + (queries + i) * Float.BYTES);
        int row = batch.firstRow + firstRow + i / group;
        lse.putFloat(row, head * group + i % group, (float) (largest + Math.log(sum)));
      }
    }

    /** Forgets the tensors, which may be closed and collected. */
    void clear() {
      k = null;
      v = null;
      q = null;
      out = null;
      lse = null;
      batch = null;
    }
  }
}
