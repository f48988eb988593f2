package dev.llama.cuda;

import dev.llama.DType;
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
  private static final int MAX_PARTS = 512;

  /** Work space for weights that become F32. */
  private static final long DECODED_BYTES = 16 << 20;

  private final Gpu gpu;
  private final CudaOps ops;
  private final CudaAttention attention;

  CudaGradOps(Gpu gpu, CudaOps ops, CudaAttention attention) {
    this.gpu = gpu;
    this.ops = ops;
    this.attention = attention;
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
    CudaTensor w = Checks.own(op, "weight", weight);
    if (w.rows() != gradient.width() || w.width() != in.width()) {
      throw Checks.mismatch(op, "weight", w, "x", in);
    }
    int rows = Checks.size(op, gradient.rows());
    int inputs = Checks.size(op, in.width());
    int outputs = Checks.size(op, gradient.width());
    if (in.rows() != rows) {
      throw Checks.mismatch(op, "x", in, "dOut", gradient);
    }
    if (dX != null) {
      CudaTensor out = Checks.like(op, "dX", dX, "x", in);
      throughWeights(out, gradient, w, write == Ops.Write.ADD ? 1 : 0);
    }
    if (dWeight != null) {
      Checks.floats(op, "weight", w);
      CudaTensor out = Checks.like(op, "dWeight", dWeight, "weight", w);
      product("matmul_f32_grad_w", outputs, inputs, out, gradient, in, rows, inputs, outputs);
    }
  }

  /** {@code dX (=|+=) dOut · weight}; weights of other types become F32 part by part. */
  private void throughWeights(CudaTensor dX, CudaTensor dOut, CudaTensor weight, int add) {
    int rows = (int) dX.rows();
    int inputs = (int) dX.width();
    int outputs = (int) dOut.width();
    String kernel = "matmul_f32_grad_x";
    if (weight.type() == DType.F32) {
      product(kernel, rows, inputs, dX, dOut, weight, rows, inputs, outputs, add, outputs);
      return;
    }
    Format format = Checks.format("gradient of matmul", "weight", weight);
    int part = (int) Math.max(1, Math.min(outputs, DECODED_BYTES / (4L * inputs)));
    long indexBytes = Products.align(4L * part);
    gpu.enter();
    try {
      long indices = gpu.scratch(indexBytes + 4L * part * inputs);
      long decoded = indices + indexBytes;
      for (int from = 0; from < outputs; from += part) {
        int count = Math.min(part, outputs - from);
        gpu.launch("iota", Grid.strides(gpu, count), indices, from, count);
        gpu.launch(
            "embed_" + format.suffix(),
            Grid.line(count),
            decoded,
            weight,
            indices,
            inputs,
            weight.rows());
        Products.tiled(
            gpu,
            kernel,
            rows,
            inputs,
            dX,
            dOut.address() + 4L * from,
            decoded,
            rows,
            inputs,
            count,
            add == 1 || from > 0 ? 1 : 0,
            outputs);
      }
    } finally {
      gpu.exit();
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
    String op = "gradient of attention";
    CudaBatch own = Checks.batch(op, batch);
    CudaAttention.checkSpec(op, spec);
    if (own.runs().stream().anyMatch(run -> run.cache() != null)) {
      throw new InvalidInputException(op + ": the batch has sequences with a KV cache");
    }
    int rows = own.rows();
    long width = (long) spec.heads() * spec.headDim();
    long keyWidth = (long) spec.keyValueHeads() * spec.headDim();
    CudaAttention.Inputs gradients =
        new CudaAttention.Inputs(
            Checks.matrix(op, "dQ", dQ, rows, width),
            Checks.matrix(op, "dK", dK, rows, keyWidth),
            Checks.matrix(op, "dV", dV, rows, keyWidth));
    CudaAttention.Inputs in =
        new CudaAttention.Inputs(
            Checks.matrix(op, "q", q, rows, width),
            Checks.matrix(op, "k", k, rows, keyWidth),
            Checks.matrix(op, "v", v, rows, keyWidth));
    CudaTensor gradient = Checks.matrix(op, "dOut", dOut, rows, width);
    CudaTensor result = Checks.matrix(op, "out", out, rows, width);
    CudaTensor denominators = Checks.matrix(op, "lse", lse, rows, spec.heads());
    gpu.enter();
    try {
      ops.use(own);
      attention.gradient(gradients, gradient, result, denominators, in, own, spec);
    } finally {
      gpu.exit();
    }
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
