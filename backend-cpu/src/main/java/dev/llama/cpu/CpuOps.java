package dev.llama.cpu;

import dev.llama.InvalidInputException;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.Batch;
import dev.llama.spi.Ops;
import dev.llama.spi.RopeTable;
import dev.llama.spi.Tensor;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicReference;

/**
 * Checks what it is given, once, and hands it to the parts. Tiers differ in the parts for products
 * and attention. Calls return when the work is done.
 */
final class CpuOps implements Ops {
  private final MatrixProduct product;
  private final Attention attention;
  private final RowOps rows;
  private final AtomicReference<Operands> twoOperands = new AtomicReference<>();
  private final AtomicReference<Operands> threeOperands = new AtomicReference<>();

  /** The operands of a composite; used again, so that calls allocate nothing. */
  private static final class Operands {
    private final CpuTensor[] outs;
    private final CpuTensor[] weights;

    Operands(int count) {
      outs = new CpuTensor[count];
      weights = new CpuTensor[count];
    }
  }

  /**
   * Puts the parts together.
   *
   * @param product multiplies matrices
   * @param attention attends
   * @param rows does what works on single rows
   */
  CpuOps(MatrixProduct product, Attention attention, RowOps rows) {
    this.product = product;
    this.attention = attention;
    this.rows = rows;
  }

  @Override
  public void embed(Tensor out, Tensor table, Tensor indices) {
    CpuTensor o = Checks.floats("embed", "out", out);
    CpuTensor t = Checks.own("embed", "table", table);
    if (o.width() != t.width()) {
      throw Checks.mismatch("embed", "out", o, "table", t);
    }
    rows.embed(o, t, Checks.integers("embed", "indices", indices, o.rows()));
  }

  @Override
  public void rmsNorm(Tensor out, Tensor rstd, Tensor x, Tensor weight, float eps) {
    CpuTensor in = Checks.floats("rmsNorm", "x", x);
    rows.rmsNorm(
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
    rows.layerNorm(
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
    checkProduct("matmul", o, in, w);
    product.multiply(o, in, w, write == Write.ADD);
  }

  private static void checkProduct(String op, CpuTensor out, CpuTensor x, CpuTensor weight) {
    if (x.width() != weight.width() || out.width() != weight.rows() || out.rows() != x.rows()) {
      throw new InvalidInputException(
          "shape mismatch in "
              + op
              + ": out "
              + Segments.describe(out.shape())
              + " x "
              + Segments.describe(x.shape())
              + " weight "
              + Segments.describe(weight.shape()));
    }
  }

  @Override
  public void qkv(
      Tensor q,
      Tensor k,
      Tensor v,
      Tensor x,
      Tensor queryWeight,
      Tensor keyWeight,
      Tensor valueWeight) {
    CpuTensor in = Checks.floats("qkv", "x", x);
    Operands operands = take(threeOperands, 3);
    try {
      set(operands, 0, "qkv", q, in, queryWeight);
      set(operands, 1, "qkv", k, in, keyWeight);
      set(operands, 2, "qkv", v, in, valueWeight);
      product.multiplyAll(operands.outs, in, operands.weights);
    } finally {
      give(threeOperands, operands);
    }
  }

  @Override
  public void gateUp(Tensor gate, Tensor up, Tensor x, Tensor gateWeight, Tensor upWeight) {
    CpuTensor in = Checks.floats("gateUp", "x", x);
    Operands operands = take(twoOperands, 2);
    try {
      set(operands, 0, "gateUp", gate, in, gateWeight);
      set(operands, 1, "gateUp", up, in, upWeight);
      CpuTensor out = operands.outs[0];
      CpuTensor other = Checks.like("gateUp", "up", up, "gate", out);
      product.multiplyAll(operands.outs, in, operands.weights);
      rows.swiGlu(out, out, other);
    } finally {
      give(twoOperands, operands);
    }
  }

  private static Operands take(AtomicReference<Operands> spare, int count) {
    Operands operands = spare.getAndSet(null);
    return operands == null ? new Operands(count) : operands;
  }

  private static void set(
      Operands operands, int i, String op, Tensor out, CpuTensor x, Tensor weight) {
    operands.outs[i] = Checks.floats(op, "out", out);
    operands.weights[i] = Checks.own(op, "weight", weight);
    checkProduct(op, operands.outs[i], x, operands.weights[i]);
  }

  private static void give(AtomicReference<Operands> spare, Operands operands) {
    Arrays.fill(operands.outs, null);
    Arrays.fill(operands.weights, null);
    spare.set(operands);
  }

  @Override
  public void addBias(Tensor x, Tensor bias) {
    CpuTensor in = Checks.floats("addBias", "x", x);
    rows.addBias(in, Checks.vector("addBias", "bias", bias, in.width()));
  }

  @Override
  public void add(Tensor x, Tensor y) {
    CpuTensor in = Checks.floats("add", "x", x);
    rows.add(in, Checks.like("add", "y", y, "x", in));
  }

  @Override
  public void rope(Tensor q, Tensor k, Tensor positions, RopeTable table) {
    rows.rope(q, k, positions, table);
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
      if (own.run(i).cache != null) {
        attention.append(keys, values, own.run(i), spec);
      }
    }
    for (int i = 0; i < own.runs(); i++) {
      attention.attend(o, l, queries, keys, values, own.run(i), spec);
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
    rows.swiGlu(
        o,
        Checks.like("swiGlu", "gate", gate, "out", o),
        Checks.like("swiGlu", "up", up, "out", o));
  }

  @Override
  public void gelu(Tensor out, Tensor x) {
    CpuTensor o = Checks.floats("gelu", "out", out);
    rows.gelu(o, Checks.like("gelu", "x", x, "out", o));
  }

  @Override
  public void argmax(Tensor out, Tensor x) {
    CpuTensor in = Checks.floats("argmax", "x", x);
    rows.argmax(Checks.integers("argmax", "out", out, in.rows()), in);
  }
}
