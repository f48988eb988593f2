package dev.llama.cuda;

import dev.llama.InvalidInputException;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.Batch;
import dev.llama.spi.GradOps;
import dev.llama.spi.Ops;
import dev.llama.spi.RopeTable;
import dev.llama.spi.Tensor;

/** Checks what it is given, and enqueues the kernels of gradients. */
final class CudaGradOps implements GradOps {
  private static final int COLUMNS_PER_BLOCK = 32;
  private static final int MAX_PARTS = 1024;

  private final Gpu gpu;
  private final CudaOps ops;

  CudaGradOps(Gpu gpu, CudaOps ops) {
    this.gpu = gpu;
    this.ops = ops;
  }

  private void enqueue(String kernel, Grid grid, Object... arguments) {
    gpu.enter();
    try {
      gpu.launch(kernel, grid, arguments);
    } finally {
      gpu.exit();
    }
  }

  private static Grid columns(CudaTensor x) {
    return Grid.line(Grid.ceil(x.width(), COLUMNS_PER_BLOCK));
  }

  @Override
  public void embed(Tensor dTable, Tensor dOut, Tensor tokens) {
    CudaTensor gradient = Checks.floats("gradient of embed", "dOut", dOut);
    CudaTensor table = Checks.floats("gradient of embed", "dTable", dTable);
    if (table.width() != gradient.width()) {
      throw Checks.mismatch("gradient of embed", "dTable", table, "dOut", gradient);
    }
    enqueue(
        "embed_grad",
        Grid.line(gradient.rows()),
        table,
        gradient,
        Checks.integers("gradient of embed", "tokens", tokens, gradient.rows()),
        Checks.size("gradient of embed", gradient.rows()),
        Checks.size("gradient of embed", gradient.width()));
  }

  @Override
  public void rmsNorm(
      Tensor dX, Tensor dWeight, Tensor dOut, Tensor x, Tensor weight, Tensor rstd) {
    String op = "gradient of rmsNorm";
    CudaTensor in = Checks.floats(op, "x", x);
    CudaTensor gradient = Checks.like(op, "dOut", dOut, "x", in);
    CudaTensor scales = Checks.perRow(op, "rstd", Checks.own(op, "rstd", rstd), in);
    int rows = Checks.size(op, in.rows());
    int width = Checks.size(op, in.width());
    CudaTensor dScale = Checks.vector(op, "dWeight", dWeight, in.width());
    enqueue("rms_norm_grad_weight", columns(in), dScale, gradient, in, scales, rows, width);
    CudaTensor factors = Checks.vector(op, "weight", weight, in.width());
    CudaTensor out = Checks.like(op, "dX", dX, "x", in);
    enqueue("rms_norm_grad_x", Grid.line(rows), out, gradient, in, factors, scales, width);
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
    CudaTensor in = Checks.floats(op, "x", x);
    CudaTensor gradient = Checks.like(op, "dOut", dOut, "x", in);
    CudaTensor means = Checks.perRow(op, "mean", Checks.own(op, "mean", mean), in);
    CudaTensor scales = Checks.perRow(op, "rstd", Checks.own(op, "rstd", rstd), in);
    int rows = Checks.size(op, in.rows());
    int width = Checks.size(op, in.width());
    enqueue(
        "layer_norm_grad_weight",
        columns(in),
        Checks.vector(op, "dWeight", dWeight, in.width()),
        Checks.vector(op, "dBias", dBias, in.width()),
        gradient,
        in,
        means,
        scales,
        rows,
        width);
    enqueue(
        "layer_norm_grad_x",
        Grid.line(rows),
        Checks.like(op, "dX", dX, "x", in),
        gradient,
        in,
        Checks.vector(op, "weight", weight, in.width()),
        means,
        scales,
        width);
  }

  @Override
  public void matmul(
      Tensor dX, Tensor dWeight, Tensor dOut, Tensor x, Tensor weight, Ops.Write write) {
    String op = "gradient of matmul";
    CudaTensor gradient = Checks.floats(op, "dOut", dOut);
    CudaTensor in = Checks.floats(op, "x", x);
    CudaTensor w = Checks.matrix(op, "weight", weight, gradient.width(), in.width());
    int rows = Checks.size(op, gradient.rows());
    int inputs = Checks.size(op, in.width());
    int outputs = Checks.size(op, gradient.width());
    if (in.rows() != rows) {
      throw Checks.mismatch(op, "x", in, "dOut", gradient);
    }
    if (dX != null) {
      CudaTensor out = Checks.like(op, "dX", dX, "x", in);
      int add = write == Ops.Write.ADD ? 1 : 0;
      product("matmul_f32_grad_x", rows, inputs, out, gradient, w, rows, inputs, outputs, add);
    }
    if (dWeight != null) {
      CudaTensor out = Checks.like(op, "dWeight", dWeight, "weight", w);
      product("matmul_f32_grad_w", outputs, inputs, out, gradient, in, rows, inputs, outputs);
    }
  }

  private void product(String kernel, int resultRows, int resultColumns, Object... arguments) {
    gpu.enter();
    try {
      Products.tiled(gpu, kernel, resultRows, resultColumns, arguments);
    } finally {
      gpu.exit();
    }
  }

  @Override
  public void addBias(Tensor dBias, Tensor dOut) {
    String op = "gradient of addBias";
    CudaTensor gradient = Checks.floats(op, "dOut", dOut);
    enqueue(
        "add_bias_grad",
        columns(gradient),
        Checks.vector(op, "dBias", dBias, gradient.width()),
        gradient,
        Checks.size(op, gradient.rows()),
        Checks.size(op, gradient.width()));
  }

  @Override
  public void rope(Tensor dQ, Tensor dK, Tensor positions, RopeTable table) {
    ops.rope("gradient of rope", dQ, dK, positions, table, -1);
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
    throw new InvalidInputException("to come");
  }

  @Override
  public void swiGlu(Tensor dGate, Tensor dUp, Tensor dOut, Tensor gate, Tensor up) {
    String op = "gradient of swiGlu";
    CudaTensor gradient = Checks.floats(op, "dOut", dOut);
    enqueue(
        "swiglu_grad",
        Grid.strides(gpu, gradient.elements()),
        Checks.like(op, "dGate", dGate, "dOut", gradient),
        Checks.like(op, "dUp", dUp, "dOut", gradient),
        gradient,
        Checks.like(op, "gate", gate, "dOut", gradient),
        Checks.like(op, "up", up, "dOut", gradient),
        gradient.elements());
  }

  @Override
  public void gelu(Tensor dX, Tensor dOut, Tensor x) {
    String op = "gradient of gelu";
    CudaTensor gradient = Checks.floats(op, "dOut", dOut);
    enqueue(
        "gelu_grad",
        Grid.strides(gpu, gradient.elements()),
        Checks.like(op, "dX", dX, "dOut", gradient),
        gradient,
        Checks.like(op, "x", x, "dOut", gradient),
        gradient.elements());
  }

  @Override
  public void crossEntropy(
      Tensor loss, Tensor dLogits, Tensor logits, Tensor targets, Tensor scale) {
    String op = "crossEntropy";
    CudaTensor in = Checks.floats(op, "logits", logits);
    enqueue(
        "cross_entropy",
        Grid.line(in.rows()),
        Checks.vector(op, "loss", loss, in.rows()),
        dLogits == null ? null : Checks.like(op, "dLogits", dLogits, "logits", in),
        in,
        Checks.integers(op, "targets", targets, in.rows()),
        Checks.vector(op, "scale", scale, 1),
        Checks.size(op, in.width()));
  }

  /** In two steps, so that the order of summation is always the same. */
  @Override
  public void sumOfSquares(Tensor sum, Tensor x) {
    CudaTensor in = Checks.floats("sumOfSquares", "x", x);
    CudaTensor out = Checks.vector("sumOfSquares", "sum", sum, 1);
    int parts = (int) Math.min(Grid.strides(gpu, in.elements()).x(), MAX_PARTS);
    gpu.enter();
    try {
      long scratch = gpu.scratch((long) parts * Float.BYTES);
      gpu.launch("squares_parts", Grid.line(parts), scratch, in, in.elements());
      gpu.launch("squares_merge", Grid.line(1), out, scratch, parts);
    } finally {
      gpu.exit();
    }
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
    CudaTensor w = Checks.floats("adamW", "weight", weight);
    enqueue(
        "adamw",
        Grid.strides(gpu, w.elements()),
        w,
        Checks.like("adamW", "m", m, "weight", w),
        Checks.like("adamW", "v", v, "weight", w),
        Checks.like("adamW", "gradient", gradient, "weight", w),
        Checks.vector("adamW", "step", step, 4),
        beta1,
        beta2,
        eps,
        decay,
        w.elements());
  }
}
