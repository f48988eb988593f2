package dev.llama.cpu;

import static dev.llama.cpu.NativeLibrary.address;

import dev.llama.spi.RopeTable;
import dev.llama.spi.RopeTable.Pairing;
import dev.llama.spi.Tensor;
import java.lang.ref.Reference;

/**
 * Works on rows with the kernels in C. What takes a few microseconds, as all of it does for one
 * row, is done by the calling thread at once; more is shared among the threads by rows.
 */
final class NativeRowOps extends RowOps {
  /** Elements that are not worth a hand-over between threads. */
  private static final long FEW = 1 << 15;

  private final WorkerPool pool;

  /**
   * Puts it together. The library must be loaded.
   *
   * @param pool threads
   */
  NativeRowOps(WorkerPool pool) {
    super(pool);
    this.pool = pool;
  }

  private boolean isSmall(CpuTensor x) {
    pool.requireOpen();
    return x.rows() == 1 || x.rows() * x.width() <= FEW;
  }

  private void share(CpuTensor x, WorkerPool.Task task) {
    int rows = (int) x.rows();
    pool.parallelFor(rows, Work.grain(pool, rows, x.width()), task);
  }

  @Override
  void embed(CpuTensor out, CpuTensor table, CpuTensor indices) {
    Rows.checkIndices(out, table, indices);
    if (isSmall(out)) {
      embedRows(out, table, indices, 0, (int) out.rows());
    } else {
      share(out, (from, to, scratch) -> embedRows(out, table, indices, from, to));
    }
  }

  private static void embedRows(
      CpuTensor out, CpuTensor table, CpuTensor indices, int from, int to) {
    int format = NativeKernels.format(table.type());
    for (int r = from; r < to; r++) {
      long row = address(table, indices.getInt(r));
      NativeKernels.embed(format, address(out, r), row, out.width());
    }
    Reference.reachabilityFence(table);
    Reference.reachabilityFence(out);
  }

  @Override
  void argmax(CpuTensor out, CpuTensor x) {
    if (isSmall(x)) {
      argmaxRows(out, x, 0, (int) x.rows());
    } else {
      share(x, (from, to, scratch) -> argmaxRows(out, x, from, to));
    }
  }

  private static void argmaxRows(CpuTensor out, CpuTensor x, int from, int to) {
    for (int r = from; r < to; r++) {
      NativeKernels.argmax(address(out, 0) + 4L * r, address(x, r), x.width());
      Rows.forgetUnlessFinite(out, x, r);
    }
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(out);
  }

  @Override
  void rmsNorm(CpuTensor out, CpuTensor rstd, CpuTensor x, CpuTensor weight, float eps) {
    if (isSmall(x)) {
      normRows(out, rstd, x, weight, eps, 0, (int) x.rows());
    } else {
      share(x, (from, to, scratch) -> normRows(out, rstd, x, weight, eps, from, to));
    }
  }

  private static void normRows(
      CpuTensor out, CpuTensor rstd, CpuTensor x, CpuTensor weight, float eps, int from, int to) {
    for (int r = from, rows; r < to; r += rows) {
      rows = (int) Math.min(to - r, Math.min(x.rowsInSegment(r), out.rowsInSegment(r)));
      NativeKernels.rmsNorm(
          address(out, r),
          rstd == null ? 0 : address(rstd, 0) + 4L * r,
          address(x, r),
          address(weight, 0),
          rows,
          x.width(),
          eps);
    }
    Reference.reachabilityFence(out);
    Reference.reachabilityFence(rstd);
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(weight);
  }

  @Override
  void rope(Tensor q, Tensor k, Tensor positions, RopeTable table) {
    Rotary.check("rope", q, k, positions, table);
    ropeChecked((CpuTensor) q, (CpuTensor) k, (CpuTensor) positions, table, 1);
  }

  @Override
  void ropeBack(Tensor q, Tensor k, Tensor positions, RopeTable table) {
    Rotary.check("gradient of rope", q, k, positions, table);
    ropeChecked((CpuTensor) q, (CpuTensor) k, (CpuTensor) positions, table, -1);
  }

  private void ropeChecked(
      CpuTensor q, CpuTensor k, CpuTensor positions, RopeTable table, float direction) {
    if (isSmall(q)) {
      ropeRows(q, k, positions, table, direction, 0, (int) q.rows());
    } else {
      share(q, (from, to, scratch) -> ropeRows(q, k, positions, table, direction, from, to));
    }
  }

  private static void ropeRows(
      CpuTensor q,
      CpuTensor k,
      CpuTensor positions,
      RopeTable table,
      float direction,
      int from,
      int to) {
    CpuTensor frequencies = (CpuTensor) table.inverseFrequencies();
    for (int r = from, rows; r < to; r += rows) {
      rows = (int) Math.min(to - r, Math.min(q.rowsInSegment(r), k.rowsInSegment(r)));
      NativeKernels.rope(
          address(q, r),
          q.width(),
          address(k, r),
          k.width(),
          address(positions, 0) + 4L * r,
          rows,
          address(frequencies, 0),
          frequencies.width(),
          table.magnitude(),
          table.pairing() == Pairing.HALVES ? 1 : 0,
          direction);
    }
    Reference.reachabilityFence(q);
    Reference.reachabilityFence(k);
    Reference.reachabilityFence(positions);
    Reference.reachabilityFence(frequencies);
  }

  @Override
  void add(CpuTensor x, CpuTensor y) {
    if (isSmall(x)) {
      addRows(x, y, 0, (int) x.rows());
    } else {
      share(x, (from, to, scratch) -> addRows(x, y, from, to));
    }
  }

  private static void addRows(CpuTensor x, CpuTensor y, int from, int to) {
    for (int r = from; r < to; r++) {
      NativeKernels.add(address(x, r), address(y, r), x.width());
    }
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(y);
  }

  @Override
  void addBias(CpuTensor x, CpuTensor bias) {
    if (isSmall(x)) {
      addBiasRows(x, bias, 0, (int) x.rows());
    } else {
      share(x, (from, to, scratch) -> addBiasRows(x, bias, from, to));
    }
  }

  private static void addBiasRows(CpuTensor x, CpuTensor bias, int from, int to) {
    for (int r = from; r < to; r++) {
      NativeKernels.add(address(x, r), address(bias, 0), x.width());
    }
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(bias);
  }

  @Override
  void swiGlu(CpuTensor out, CpuTensor gate, CpuTensor up) {
    if (isSmall(out)) {
      swiGluRows(out, gate, up, 0, (int) out.rows());
    } else {
      share(out, (from, to, scratch) -> swiGluRows(out, gate, up, from, to));
    }
  }

  private static void swiGluRows(CpuTensor out, CpuTensor gate, CpuTensor up, int from, int to) {
    for (int r = from; r < to; r++) {
      NativeKernels.swiGlu(address(out, r), address(gate, r), address(up, r), out.width());
    }
    Reference.reachabilityFence(out);
    Reference.reachabilityFence(gate);
    Reference.reachabilityFence(up);
  }
}
