package dev.llama.cpu;

import dev.llama.DType;
import dev.llama.spi.AttentionSpec;

/**
 * The keys and values of one layer of one sequence: in a cache, or, without one, in the rows of the
 * batch. Read in blocks of consecutive positions.
 */
final class KeyValues {
  private static final int ROW = 6; // slot

  private final CpuBatch.Run run;
  private final CpuTensor k;
  private final CpuTensor v;
  private final AttentionSpec spec;

  /**
   * Describes where they are.
   *
   * @param run the rows of the sequence
   * @param k [rows, keyValueHeads * headDim]
   * @param v [rows, keyValueHeads * headDim]
   * @param spec heads and layer
   */
  KeyValues(CpuBatch.Run run, CpuTensor k, CpuTensor v, AttentionSpec spec) {
    this.run = run;
    this.k = k;
    this.v = v;
    this.spec = spec;
  }

  /** Returns the first position that can be attended to. */
  int begin() {
    return run.cache == null ? run.firstPosition : 0;
  }

  /** Returns the end of the block that begins at a position: where storage has its next gap. */
  int blockEnd(int position, int end) {
    if (run.cache == null) {
      int row = run.firstRow + position - run.firstPosition;
      return (int) Math.min(end, position + Math.min(k.rowsInSegment(row), v.rowsInSegment(row)));
    }
    int size = run.cache.pagePositions();
    return Math.min(end, (position / size + 1) * size);
  }

  /** Returns how the elements are stored. */
  DType type() {
    return run.cache == null ? DType.F32 : run.cache.shape().type();
  }

  /** Returns the distance of consecutive rows without a cache, in elements. */
  int stride() {
    return spec.keyValueHeads() * spec.headDim();
  }

  /** Returns the buffer that holds a block. */
  Segment segment(boolean values, int position) {
    if (run.cache == null) {
      return (values ? v : k).segment(run.firstRow + position - run.firstPosition);
    }
    return run.cache.page(position).data;
  }

  /** Returns where a block of rows without a cache begins in its buffer, in elements. */
  int index(boolean values, int head, int position) {
    int row = run.firstRow + position - run.firstPosition;
    return ((values ? v : k).offset(row) >> 2) + head * spec.headDim();
  }

  /**
   * Copies a block.
   *
   * @param values values, else keys
   * @param head key and value head
   * @param position first
   * @param count positions, within one block
   * @param out receives [count, headDim] from {@code at} on
   * @param at index in {@code out}
   * @param scratch codec slot
   */
  void read(
      boolean values, int head, int position, int count, float[] out, int at, Scratch scratch) {
    int size = spec.headDim();
    Segment segment = segment(values, position);
    if (run.cache == null) {
      int index = index(values, head, position);
      for (int i = 0; i < count; i++) {
        segment.floats.get(index + i * stride(), out, at + i * size, size);
      }
    } else if (values) {
      int index = run.cache.valueIndex(spec.layer(), head, position);
      decode(segment, index, count * size, out, at, scratch);
    } else {
      int index = run.cache.keyIndex(spec.layer(), head) + position % run.cache.pagePositions();
      float[] line = scratch.floats(ROW, count);
      for (int d = 0; d < size; d++) {
        decode(segment, index + d * run.cache.pagePositions(), count, line, 0, scratch);
        for (int i = 0; i < count; i++) {
          out[at + i * size + d] = line[i];
        }
      }
    }
  }

  private void decode(Segment segment, int index, int count, float[] out, int at, Scratch scratch) {
    Codec.of(type()).decode(segment, index * type().blockBytes(), count, out, at, scratch);
  }

  /**
   * Copies the keys and values of rows of the batch to the cache.
   *
   * @param from first row of the run
   * @param to behind the last row
   * @param scratch this thread's
   */
  void append(int from, int to, Scratch scratch) {
    float[] row = scratch.floats(ROW, spec.keyValueHeads() * spec.headDim());
    for (int r = from; r < to; r++) {
      store(false, k, r, row, scratch);
      store(true, v, r, row, scratch);
    }
  }

  private void store(boolean values, CpuTensor x, int r, float[] row, Scratch scratch) {
    int size = spec.headDim();
    int width = spec.keyValueHeads() * size;
    int position = run.firstPosition + r;
    int page = run.cache.pagePositions();
    Segment segment = segment(values, position);
    x.get(run.firstRow + r, 0, width, row, 0);
    for (int head = 0; head < spec.keyValueHeads(); head++) {
      int step = values ? 1 : page;
      int index =
          values
              ? run.cache.valueIndex(spec.layer(), head, position)
              : run.cache.keyIndex(spec.layer(), head) + position % page;
      for (int d = 0; d < size; d++) {
        float value = row[head * size + d];
        if (type() == DType.F32) {
          segment.floats.put(index + d * step, value);
        } else {
          segment.shorts.put(index + d * step, Float16.fromFloat(value));
        }
      }
    }
  }
}
