package dev.llama.cpu;

import dev.llama.DType;
import dev.llama.cpu.OpenBlas.Operands;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;

/**
 * Products of many rows by OpenBLAS: each thread takes a panel of weight rows, decodes it unless it
 * is F32, and multiplies all rows of x with it. For few rows, OpenBLAS would spend its time on
 * copying the weights; they are left to another way.
 */
final class BlasMatrixProduct implements MatrixProduct {
  private static final int MANY = 8; // measured
  private static final int MAX_PANEL = 256;
  private static final int MIN_PANEL = 64;
  private static final int MAX_PANEL_BYTES = 8 << 20;

  private static final int PANEL = 0;
  private static final int WEIGHTS = 1;

  private final WorkerPool pool;
  private final OpenBlas blas;
  private final MatrixProduct few;

  /**
   * Puts it together.
   *
   * @param pool threads
   * @param blas the library
   * @param few multiplies few rows
   */
  BlasMatrixProduct(WorkerPool pool, OpenBlas blas, MatrixProduct few) {
    this.pool = pool;
    this.blas = blas;
    this.few = few;
  }

  @Override
  public void multiply(CpuTensor out, CpuTensor x, CpuTensor weight, boolean add) {
    if (x.rows() < MANY || x.rows() * x.width() * weight.rows() < 1 << 16) {
      few.multiply(out, x, weight, add);
      return;
    }
    int outputs = (int) weight.rows();
    int panel = panelRows(outputs, (int) x.width());
    pool.parallelFor(
        outputs,
        panel,
        (from, to, scratch) -> {
          for (int first = from; first < to; first += panel) {
            panel(out, x, weight, add, first, Math.min(to, first + panel), scratch);
          }
        });
    // The addresses of their memory were in use.
    Reference.reachabilityFence(out);
    Reference.reachabilityFence(x);
    Reference.reachabilityFence(weight);
  }

  /** As large as the cache allows, but so that every thread gets about two. */
  private int panelRows(int outputs, int inputs) {
    int fair = (outputs - 1) / (2 * pool.threads()) + 1;
    int fitting = Math.max(1, MAX_PANEL_BYTES / 4 / inputs);
    return Math.min(fitting, Math.max(MIN_PANEL, Math.min(MAX_PANEL, fair)));
  }

  private void panel(
      CpuTensor out,
      CpuTensor x,
      CpuTensor weight,
      boolean add,
      int from,
      int to,
      Scratch scratch) {
    int inputs = (int) x.width();
    Operands operands = Operands.of(scratch);
    if (weight.type() == DType.F32
        && weight.rowsInSegment(from) >= to - from
        && (OpenBlas.address(weight.segment(from)) & 3) == 0) {
      operands.b.at(weight.segment(from), weight.offset(from));
    } else {
      ByteBuffer panel = scratch.direct(PANEL, (to - from) * inputs * 4);
      decode(weight, from, to, panel.asFloatBuffer(), scratch);
      operands.b.at(OpenBlas.address(panel));
    }
    float beta = add ? 1 : 0;
    for (long row = 0; row < x.rows(); ) {
      int rows = (int) Math.min(x.rowsInSegment(row), out.rowsInSegment(row));
      operands.a.at(x.segment(row), x.offset(row));
      operands.c.at(out.segment(row), out.offset(row) + 4L * from);
      blas.productTransposed(
          rows,
          to - from,
          inputs,
          1f,
          operands.a,
          inputs,
          operands.b,
          inputs,
          beta,
          operands.c,
          (int) out.width());
      row += rows;
    }
  }

  private static void decode(
      CpuTensor weight, int from, int to, FloatBuffer panel, Scratch scratch) {
    int inputs = (int) weight.width();
    DType type = weight.type();
    Codec codec = Codec.of(type);
    float[] w = scratch.floats(WEIGHTS, Codec.CHUNK);
    for (int o = from; o < to; o++) {
      Segment segment = weight.segment(o);
      int offset = weight.offset(o);
      for (int k = 0; k < inputs; k += Codec.CHUNK) {
        int count = Math.min(Codec.CHUNK, inputs - k);
        codec.decode(segment, offset + (int) type.bytes(k), count, w, 0, scratch);
        panel.put((o - from) * inputs + k, w, 0, count);
      }
    }
  }
}
