package dev.llama.cpu;

import dev.llama.InvalidInputException;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.Batch;
import dev.llama.spi.GradOps;
import dev.llama.spi.Ops;
import dev.llama.spi.RopeTable;
import dev.llama.spi.Tensor;

/**
 * Checks what it is given, once, and hands it to the parts. Calls return when the work is done.
 *
 * <p>Results do not depend on the number of threads, to the last bit: work is cut by shapes alone,
 * every element has one writer, and what several parts contribute to is added in the parts' order.
 */
final class CpuGradOps implements GradOps {
  private final GradProduct product;
  private final AttentionGradient attention;
  private final NormGradients norms;
  private final RowOps rotation;
  private final ElementwiseGradients elementwise;
  private final RowGradients sums;
  private final GradRows rows;

  /**
   * Puts the parts together.
   *
   * @param pool threads
   * @param workspace what operations share
   * @param product gradients of matrix products
   * @param attention gradient of attention
   * @param rows gradients of rows
   * @param rotation rotates back
   */
  private CpuGradOps(
      WorkerPool pool,
      Workspace workspace,
      GradProduct product,
      AttentionGradient attention,
      GradRows rows,
      RowOps rotation) {
    this.product = product;
    this.attention = attention;
    this.rows = rows;
    this.rotation = rotation;
    norms = new NormGradients(pool, workspace);
    elementwise = new ElementwiseGradients(pool);
    sums = new RowGradients(pool, workspace);
  }

  /** Returns those in plain Java. */
  static CpuGradOps inJava(WorkerPool pool) {
    Workspace workspace = new Workspace();
    return new CpuGradOps(
        pool,
        workspace,
        new JavaGradProduct(pool),
        new JavaAttentionGradient(pool),
        new JavaGradRows(pool, workspace),
        new RowOps(pool));
  }

  /**
   * Returns those by the kernels in C, as far as there are any. The library must be loaded.
   *
   * @param pool threads
   * @param product gradients of matrix products
   * @param attention gradient of attention
   * @param rotation rotates back
   */
  static CpuGradOps inC(
      WorkerPool pool, GradProduct product, AttentionGradient attention, RowOps rotation) {
    Workspace workspace = new Workspace();
    return new CpuGradOps(
        pool, workspace, product, attention, new NativeGradRows(pool, workspace), rotation);
  }

  @Override
  public void embed(Tensor dTable, Tensor dOut, Tensor tokens) {
    CpuTensor gradient = Checks.floats("gradient of embed", "dOut", dOut);
    CpuTensor table = Checks.floats("gradient of embed", "dTable", dTable);
    if (table.width() != gradient.width()) {
      throw Checks.mismatch("gradient of embed", "dTable", table, "dOut", gradient);
    }
    CpuTensor ids = Checks.integers("gradient of embed", "tokens", tokens, gradient.rows());
    sums.embed(table, gradient, ids);
  }

  @Override
  public void rmsNorm(
      Tensor dX, Tensor dWeight, Tensor dOut, Tensor x, Tensor weight, Tensor rstd) {
    String op = "gradient of rmsNorm";
    CpuTensor in = Checks.floats(op, "x", x);
    rows.rmsNorm(
        Checks.like(op, "dX", dX, "x", in),
        Checks.vector(op, "dWeight", dWeight, in.width()),
        Checks.like(op, "dOut", dOut, "x", in),
        in,
        Checks.vector(op, "weight", weight, in.width()),
        Checks.vector(op, "rstd", rstd, in.rows()));
  }

  @Override
  public void layerNorm(
      Tensor dX,
      Tensor dWeight,
      Tensor dBias,
      Tensor dOut,
      Tensor x,
      Tensor weight,
      Tensor mean,
      Tensor rstd) {
    String op = "gradient of layerNorm";
    CpuTensor in = Checks.floats(op, "x", x);
    norms.layer(
        Checks.like(op, "dX", dX, "x", in),
        Checks.vector(op, "dWeight", dWeight, in.width()),
        Checks.vector(op, "dBias", dBias, in.width()),
        Checks.like(op, "dOut", dOut, "x", in),
        in,
        Checks.vector(op, "weight", weight, in.width()),
        Checks.vector(op, "mean", mean, in.rows()),
        Checks.vector(op, "rstd", rstd, in.rows()));
  }

  @Override
  public void matmul(
      Tensor dX, Tensor dWeight, Tensor dOut, Tensor x, Tensor weight, Ops.Write write) {
    String op = "gradient of matmul";
    CpuTensor gradient = Checks.floats(op, "dOut", dOut);
    CpuTensor in = Checks.floats(op, "x", x);
    CpuTensor w = Checks.own(op, "weight", weight);
    if (in.width() != w.width() || gradient.width() != w.rows() || gradient.rows() != in.rows()) {
      throw new InvalidInputException(
          "shape mismatch in "
              + op
              + ": dOut "
              + Segments.describe(gradient.shape())
              + " x "
              + Segments.describe(in.shape())
              + " weight "
              + Segments.describe(w.shape()));
    }
    if (dX != null) {
      boolean add = write == Ops.Write.ADD;
      product.inputs(Checks.like(op, "dX", dX, "x", in), gradient, w, add);
    }
    if (dWeight != null) {
      product.weights(Checks.like(op, "dWeight", dWeight, "weight", w), gradient, in);
    }
  }

  @Override
  public void addBias(Tensor dBias, Tensor dOut) {
    CpuTensor gradient = Checks.floats("gradient of addBias", "dOut", dOut);
    sums.addBias(Checks.vector("gradient of addBias", "dBias", dBias, gradient.width()), gradient);
  }

  @Override
  public void rope(Tensor dQ, Tensor dK, Tensor positions, RopeTable table) {
    rotation.ropeBack(dQ, dK, positions, table);
  }

  @Override
  public void attention(
      Tensor dQ,
      Tensor dK,
      Tensor dV,
      Tensor dOut,
      Tensor out,
      Tensor lse,
      Tensor q,
      Tensor k,
      Tensor v,
      Batch batch,
      AttentionSpec spec) {
    String op = "gradient of attention";
    CpuBatch own = Checks.batch(op, batch);
    Checks.requireWithoutCaches(op, "the gradient", own);
    Checks.dropout(op, spec);
    long rows = own.rows();
    long queryWidth = (long) spec.heads() * spec.headDim();
    long keyWidth = (long) spec.keyValueHeads() * spec.headDim();
    AttentionTensors tensors =
        new AttentionTensors(
            Checks.matrix(op, "q", q, rows, queryWidth),
            Checks.matrix(op, "k", k, rows, keyWidth),
            Checks.matrix(op, "v", v, rows, keyWidth),
            Checks.matrix(op, "out", out, rows, queryWidth),
            Checks.matrix(op, "lse", lse, rows, spec.heads()),
            Checks.matrix(op, "dOut", dOut, rows, queryWidth),
            Checks.matrix(op, "dQ", dQ, rows, queryWidth),
            Checks.matrix(op, "dK", dK, rows, keyWidth),
            Checks.matrix(op, "dV", dV, rows, keyWidth));
    if (rows > 0) {
      attention.differentiate(tensors, own, spec);
    }
  }

  @Override
  public void swiGlu(Tensor dGate, Tensor dUp, Tensor dOut, Tensor gate, Tensor up) {
    String op = "gradient of swiGlu";
    CpuTensor g = Checks.floats(op, "gate", gate);
    rows.swiGlu(
        Checks.like(op, "dGate", dGate, "gate", g),
        Checks.like(op, "dUp", dUp, "gate", g),
        Checks.like(op, "dOut", dOut, "gate", g),
        g,
        Checks.like(op, "up", up, "gate", g));
  }

  @Override
  public void gelu(Tensor dX, Tensor dOut, Tensor x) {
    String op = "gradient of gelu";
    CpuTensor in = Checks.floats(op, "x", x);
    elementwise.gelu(
        Checks.like(op, "dX", dX, "x", in), Checks.like(op, "dOut", dOut, "x", in), in);
  }

  @Override
  public void crossEntropy(
      Tensor loss, Tensor dLogits, Tensor logits, Tensor targets, Tensor scale) {
    String op = "crossEntropy";
    CpuTensor in = Checks.floats(op, "logits", logits);
    rows.crossEntropy(
        Checks.vector(op, "loss", loss, in.rows()),
        dLogits == null ? null : Checks.like(op, "dLogits", dLogits, "logits", in),
        in,
        Checks.integers(op, "targets", targets, in.rows()),
        Checks.vector(op, "scale", scale, 1));
  }

  @Override
  public void sumOfSquares(Tensor sum, Tensor x) {
    rows.sumOfSquares(
        Checks.vector("sumOfSquares", "sum", sum, 1), Checks.floats("sumOfSquares", "x", x));
  }

  @Override
  public void adamW(
      Tensor weight,
      Tensor m,
      Tensor v,
      Tensor gradient,
      Tensor step,
      float beta1,
      float beta2,
      float eps,
      float decay) {
    CpuTensor w = Checks.floats("adamW", "weight", weight);
    rows.adamW(
        w,
        Checks.like("adamW", "m", m, "weight", w),
        Checks.like("adamW", "v", v, "weight", w),
        Checks.like("adamW", "gradient", gradient, "weight", w),
        Checks.vector("adamW", "step", step, 4),
        new Optimizer.Constants(beta1, beta2, eps, decay));
  }
}
