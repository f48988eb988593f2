package dev.llama.cpu;

import dev.llama.InvalidInputException;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.Batch;
import dev.llama.spi.Ops;
import dev.llama.spi.RopeTable;
import dev.llama.spi.Tensor;

/**
 * Checks what it is given, once, and hands it to the parts. Tiers differ in the parts for products
 * and attention. Calls return when the work is done.
 */
final class CpuOps implements Ops {
  private final WorkerPool pool;
  private final MatrixProduct product;
  private final Attention attention;
  private final Norms norms;
  private final Rotary rotary;
  private final Elementwise elementwise;
  private final Rows rows;

  /**
   * Puts the parts together.
   *
   * @param pool threads
   * @param product multiplies matrices
   * @param attention attends
   */
  CpuOps(WorkerPool pool, MatrixProduct product, Attention attention) {
    this.pool = pool;
    this.product = product;
    this.attention = attention;
    norms = new Norms(pool);
    rotary = new Rotary(pool);
    elementwise = new Elementwise(pool);
    rows = new Rows(pool);
  }

  @Override
  public void embed(Tensor out, Tensor table, Tensor indices) {
    CpuTensor o = Checks.floats("embed", "out", out);
    CpuTensor t = Checks.own("embed", "table", table);
    if (o.width() != t.width()) {
      throw Checks.mismatch("embed", "out", o, "table", t);
    }
    rows.select(o, t, Checks.integers("embed", "indices", indices, o.rows()));
  }

  @Override
  public void rmsNorm(Tensor out, Tensor rstd, Tensor x, Tensor weight, float eps) {
    CpuTensor in = Checks.floats("rmsNorm", "x", x);
    norms.rms(
        Checks.like("rmsNorm", "out", out, "x", in),
        Checks.perRow("rmsNorm", "rstd", rstd, in),
        in,
        Checks.vector("rmsNorm", "weight", weight, in.width()),
        eps);
  }

  @Override
  public void layerNorm(
      Tensor out, Tensor mean, Tensor rstd, Tensor x, Tensor weight, Tensor bias, float eps) {
    CpuTensor in = Checks.floats("layerNorm", "x", x);
    norms.layer(
        Checks.like("layerNorm", "out", out, "x", in),
        Checks.perRow("layerNorm", "mean", mean, in),
        Checks.perRow("layerNorm", "rstd", rstd, in),
        in,
        Checks.vector("layerNorm", "weight", weight, in.width()),
        Checks.vector("layerNorm", "bias", bias, in.width()),
        eps);
  }

  @Override
  public void matmul(Tensor out, Tensor x, Tensor weight, Write write) {
    CpuTensor o = Checks.floats("matmul", "out", out);
    CpuTensor in = Checks.floats("matmul", "x", x);
    CpuTensor w = Checks.own("matmul", "weight", weight);
    if (in.width() != w.width() || o.width() != w.rows() || o.rows() != in.rows()) {
      throw new InvalidInputException(
          "shape mismatch in matmul: out "
              + Segments.describe(o.shape())
              + " x "
              + Segments.describe(in.shape())
              + " weight "
              + Segments.describe(w.shape()));
    }
    product.multiply(o, in, w, write == Write.ADD);
  }

  @Override
  public void addBias(Tensor x, Tensor bias) {
    CpuTensor in = Checks.floats("addBias", "x", x);
    elementwise.addBias(in, Checks.vector("addBias", "bias", bias, in.width()));
  }

  @Override
  public void add(Tensor x, Tensor y) {
    CpuTensor in = Checks.floats("add", "x", x);
    elementwise.add(in, Checks.like("add", "y", y, "x", in));
  }

  @Override
  public void rope(Tensor q, Tensor k, Tensor positions, RopeTable table) {
    rotary.rotate("rope", q, k, positions, table, false);
  }

  @Override
  public void attention(
      Tensor out, Tensor lse, Tensor q, Tensor k, Tensor v, Batch batch, AttentionSpec spec) {
    CpuBatch own = Checks.batch("attention", batch);
    if (spec.dropout().isPresent()) {
      Checks.dropout("attention", spec);
      Checks.requireWithoutCaches("attention", "dropout", own);
    }
    long queryWidth = (long) spec.heads() * spec.headDim();
    long keyWidth = (long) spec.keyValueHeads() * spec.headDim();
    CpuTensor o = Checks.matrix("attention", "out", out, own.rows(), queryWidth);
    CpuTensor queries = Checks.matrix("attention", "q", q, own.rows(), queryWidth);
    CpuTensor keys = Checks.matrix("attention", "k", k, own.rows(), keyWidth);
    CpuTensor values = Checks.matrix("attention", "v", v, own.rows(), keyWidth);
    CpuTensor l =
        lse == null ? null : Checks.matrix("attention", "lse", lse, own.rows(), spec.heads());
    for (int i = 0; i < own.runs(); i++) {
      checkCache(own.run(i), spec);
    }
    // All rows are appended before any attends: a sequence may have several runs.
    for (int i = 0; i < own.runs(); i++) {
      CpuBatch.Run run = own.run(i);
      if (run.cache != null) {
        KeyValues source = new KeyValues(run, keys, values, spec);
        pool.parallelFor(run.count, Work.grain(pool, run.count, 2 * keyWidth), source::append);
      }
    }
    for (int i = 0; i < own.runs(); i++) {
      CpuBatch.Run run = own.run(i);
      attention.attend(o, l, queries, new KeyValues(run, keys, values, spec), run, spec);
    }
  }

  private static void checkCache(CpuBatch.Run run, AttentionSpec spec) {
    if (run.cache == null) {
      return;
    }
    run.cache.requireOpen();
    var shape = run.cache.shape();
    if (spec.layer() < 0
        || spec.layer() >= shape.layers()
        || spec.keyValueHeads() != shape.keyValueHeads()
        || spec.headDim() != shape.headDim()) {
      throw new InvalidInputException("shape mismatch in attention: " + spec + " with " + shape);
    }
    if (run.firstPosition + run.count > run.cache.length()) {
      throw new InvalidInputException(
          "attention: the batch writes positions up to "
              + (run.firstPosition + run.count)
              + ", but the KV cache was truncated to "
              + run.cache.length());
    }
  }

  @Override
  public void swiGlu(Tensor out, Tensor gate, Tensor up) {
    CpuTensor o = Checks.floats("swiGlu", "out", out);
    elementwise.swiGlu(
        o,
        Checks.like("swiGlu", "gate", gate, "out", o),
        Checks.like("swiGlu", "up", up, "out", o));
  }

  @Override
  public void gelu(Tensor out, Tensor x) {
    CpuTensor o = Checks.floats("gelu", "out", out);
    elementwise.gelu(o, Checks.like("gelu", "x", x, "out", o));
  }

  @Override
  public void argmax(Tensor out, Tensor x) {
    CpuTensor in = Checks.floats("argmax", "x", x);
    rows.argmax(Checks.integers("argmax", "out", out, in.rows()), in);
  }
}
