package dev.llama.cuda;

import dev.llama.InvalidInputException;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.Batch;
import dev.llama.spi.Ops;
import dev.llama.spi.RopeTable;
import dev.llama.spi.Tensor;
import java.util.function.Consumer;

/** Checks what it is given, and enqueues kernels. */
final class CudaOps implements Ops {
  private final Gpu gpu;
  private final Products products;
  private final CudaAttention attention;
  private final QuantizedActivations eightBits;
  private Consumer<CudaBatch> batchWatcher;

  CudaOps(Gpu gpu, Products products, CudaAttention attention, QuantizedActivations eightBits) {
    this.gpu = gpu;
    this.products = products;
    this.attention = attention;
    this.eightBits = eightBits;
  }

  /** Names who is told of each batch that an operation uses; for who has entered the Gpu. */
  void watchBatches(Consumer<CudaBatch> watcher) {
    batchWatcher = watcher;
  }

  /** Enqueues one kernel. */
  private void enqueue(String kernel, Grid grid, Object... arguments) {
    gpu.enter();
    try {
      gpu.launch(kernel, grid, arguments);
    } finally {
      gpu.exit();
    }
  }

  @Override
  public void embed(Tensor out, Tensor table, Tensor indices) {
    CudaTensor o = Checks.floats("embed", "out", out);
    CudaTensor t = Checks.own("embed", "table", table);
    if (o.width() != t.width()) {
      throw Checks.mismatch("embed", "out", o, "table", t);
    }
    Format format = Checks.format("embed", "table", t);
    enqueue(
        "embed_" + format.suffix(),
        Grid.line(o.rows()),
        o,
        t,
        Checks.integers("embed", "indices", indices, o.rows()),
        Checks.size("embed", o.width()),
        t.rows());
  }

  @Override
  public void rmsNorm(Tensor out, Tensor rstd, Tensor x, Tensor weight, float eps) {
    CudaTensor in = Checks.floats("rmsNorm", "x", x);
    CudaTensor o = Checks.like("rmsNorm", "out", out, "x", in);
    CudaTensor perRow = Checks.perRow("rmsNorm", "rstd", rstd, in);
    CudaTensor w = Checks.vector("rmsNorm", "weight", weight, in.width());
    int width = Checks.size("rmsNorm", in.width());
    int rows = Checks.size("rmsNorm", in.rows());
    gpu.enter();
    try {
      boolean wanted = eightBits.isWanted(o);
      long quantized = wanted ? gpu.scratch(QuantizedActivations.bytes(o)) : 0;
      Grid grid = Grid.rows(gpu, rows, width);
      gpu.launch("rms_norm", grid, o, perRow, in, w, width, eps, quantized, rows);
      if (wanted) {
        eightBits.left(o, quantized);
      }
    } finally {
      gpu.exit();
    }
  }

  @Override
  public void layerNorm(
      Tensor out, Tensor mean, Tensor rstd, Tensor x, Tensor weight, Tensor bias, float eps) {
    CudaTensor in = Checks.floats("layerNorm", "x", x);
    enqueue(
        "layer_norm",
        Grid.rows(gpu, in.rows(), in.width()),
        Checks.like("layerNorm", "out", out, "x", in),
        Checks.perRow("layerNorm", "mean", mean, in),
        Checks.perRow("layerNorm", "rstd", rstd, in),
        in,
        Checks.vector("layerNorm", "weight", weight, in.width()),
        Checks.vector("layerNorm", "bias", bias, in.width()),
        Checks.size("layerNorm", in.width()),
        eps);
  }

  @Override
  public void matmul(Tensor out, Tensor x, Tensor weight, Write write) {
    CudaTensor o = Checks.floats("matmul", "out", out);
    CudaTensor in = Checks.floats("matmul", "x", x);
    CudaTensor w = Checks.own("matmul", "weight", weight);
    requireProduct("matmul", o, in, w);
    gpu.enter();
    try {
      products.multiply(o, in, w, write == Write.ADD ? Products.ADD : Products.SET);
    } finally {
      gpu.exit();
    }
  }

  private static void requireProduct(String op, CudaTensor out, CudaTensor x, CudaTensor weight) {
    Checks.format(op, "weight", weight);
    Checks.size(op, x.width());
    Checks.size(op, out.width());
    Checks.size(op, out.rows());
    if (x.width() != weight.width() || out.width() != weight.rows() || out.rows() != x.rows()) {
      throw new InvalidInputException(
          "shape mismatch in "
              + op
              + ": out "
              + CudaTensor.describe(out.shape())
              + " x "
              + CudaTensor.describe(x.shape())
              + " weight "
              + CudaTensor.describe(weight.shape()));
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
    CudaTensor in = Checks.floats("qkv", "x", x);
    CudaTensor[] weights = {
      Checks.own("qkv", "queryWeight", queryWeight),
      Checks.own("qkv", "keyWeight", keyWeight),
      Checks.own("qkv", "valueWeight", valueWeight)
    };
    if (!products.canJoin(in, weights)) {
      Ops.super.qkv(q, k, v, x, queryWeight, keyWeight, valueWeight);
      return;
    }
    CudaTensor[] outs = {
      Checks.floats("qkv", "q", q), Checks.floats("qkv", "k", k), Checks.floats("qkv", "v", v)
    };
    for (int i = 0; i < outs.length; i++) {
      requireProduct("qkv", outs[i], in, weights[i]);
    }
    gpu.enter();
    try {
      products.multiplyEach(in, outs, weights);
    } finally {
      gpu.exit();
    }
  }

  @Override
  public void gateUp(Tensor gate, Tensor up, Tensor x, Tensor gateWeight, Tensor upWeight) {
    CudaTensor in = Checks.floats("gateUp", "x", x);
    CudaTensor g = Checks.own("gateUp", "gateWeight", gateWeight);
    CudaTensor u = Checks.own("gateUp", "upWeight", upWeight);
    if (!products.canJoin(in, g, u)) {
      Ops.super.gateUp(gate, up, x, gateWeight, upWeight);
      return;
    }
    CudaTensor out = Checks.floats("gateUp", "gate", gate);
    requireProduct("gateUp", out, in, g);
    requireProduct("gateUp", out, in, u);
    gpu.enter();
    try {
      products.gated(out, in, g, u);
    } finally {
      gpu.exit();
    }
  }

  @Override
  public void addBias(Tensor x, Tensor bias) {
    CudaTensor in = Checks.floats("addBias", "x", x);
    enqueue(
        "add_bias",
        Grid.strides(gpu, in.elements()),
        in,
        Checks.vector("addBias", "bias", bias, in.width()),
        Checks.size("addBias", in.rows()),
        Checks.size("addBias", in.width()));
  }

  @Override
  public void add(Tensor x, Tensor y) {
    CudaTensor in = Checks.floats("add", "x", x);
    enqueue(
        "add",
        Grid.strides(gpu, in.elements()),
        in,
        Checks.like("add", "y", y, "x", in),
        in.elements());
  }

  @Override
  public void rope(Tensor q, Tensor k, Tensor positions, RopeTable table) {
    rope("rope", q, k, positions, table, 1);
  }

  /** Rotates forwards, or backwards for the gradient. */
  void rope(String op, Tensor q, Tensor k, Tensor positions, RopeTable table, float direction) {
    CudaTensor queries = Checks.floats(op, "q", q);
    CudaTensor keys = Checks.floats(op, "k", k);
    CudaTensor frequencies = Checks.floats(op, "inverseFrequencies", table.inverseFrequencies());
    long headDim = 2 * frequencies.width();
    if (queries.rows() != keys.rows()
        || queries.width() % headDim != 0
        || keys.width() % headDim != 0) {
      throw new InvalidInputException(
          "shape mismatch in "
              + op
              + ": q "
              + CudaTensor.describe(queries.shape())
              + " k "
              + CudaTensor.describe(keys.shape())
              + " headDim "
              + headDim);
    }
    CudaTensor at = Checks.integers(op, "positions", positions, queries.rows());
    long pairs = (queries.width() + keys.width()) / 2;
    gpu.enter();
    try {
      gpu.launch(
          "rope",
          Grid.plane(queries.rows(), Math.min(Grid.ceil(pairs, Grid.THREADS), 64), Grid.THREADS),
          queries,
          keys,
          at,
          frequencies,
          Checks.size(op, queries.width() / headDim),
          Checks.size(op, keys.width() / headDim),
          Checks.size(op, headDim),
          table.magnitude(),
          table.pairing() == RopeTable.Pairing.NEIGHBOURS ? 1 : 0,
          direction);
    } finally {
      gpu.exit();
    }
  }

  @Override
  public void attention(
      Tensor out, Tensor lse, Tensor q, Tensor k, Tensor v, Batch batch, AttentionSpec spec) {
    CudaBatch own = Checks.batch("attention", batch);
    CudaAttention.checkSpec("attention", spec);
    long queryWidth = (long) spec.heads() * spec.headDim();
    long keyWidth = (long) spec.keyValueHeads() * spec.headDim();
    CudaTensor o = Checks.matrix("attention", "out", out, own.rows(), queryWidth);
    CudaTensor queries = Checks.matrix("attention", "q", q, own.rows(), queryWidth);
    CudaTensor keys = Checks.matrix("attention", "k", k, own.rows(), keyWidth);
    CudaTensor values = Checks.matrix("attention", "v", v, own.rows(), keyWidth);
    CudaTensor l =
        lse == null ? null : Checks.matrix("attention", "lse", lse, own.rows(), spec.heads());
    own.runs().forEach(run -> CudaAttention.checkCache(run, spec));
    gpu.enter();
    try {
      use(own);
      attention.attend(o, l, new CudaAttention.Inputs(queries, keys, values), own, spec);
    } finally {
      gpu.exit();
    }
  }

  /** Tells who records that an operation depends on a batch; for who has entered the Gpu. */
  void use(CudaBatch batch) {
    if (batchWatcher != null) {
      batchWatcher.accept(batch);
    }
  }

  @Override
  public void swiGlu(Tensor out, Tensor gate, Tensor up) {
    CudaTensor o = Checks.floats("swiGlu", "out", out);
    enqueue(
        "swiglu",
        Grid.strides(gpu, o.elements()),
        o,
        Checks.like("swiGlu", "gate", gate, "out", o),
        Checks.like("swiGlu", "up", up, "out", o),
        o.elements());
  }

  @Override
  public void gelu(Tensor out, Tensor x) {
    CudaTensor o = Checks.floats("gelu", "out", out);
    enqueue(
        "gelu",
        Grid.strides(gpu, o.elements()),
        o,
        Checks.like("gelu", "x", x, "out", o),
        o.elements());
  }

  /** The best of parts of a row, then the best of those. */
  @Override
  public void argmax(Tensor out, Tensor x) {
    CudaTensor in = Checks.floats("argmax", "x", x);
    CudaTensor o = Checks.integers("argmax", "out", out, in.rows());
    int width = Checks.size("argmax", in.width());
    Grid grid = Grid.parts(in);
    gpu.enter();
    try {
      long bytes = in.rows() * grid.x() * Integer.BYTES;
      long values = gpu.scratch(2 * bytes);
      long columns = values + bytes;
      gpu.launch("argmax_parts", grid, values, columns, in, width);
      Grid merge = Grid.line(in.rows(), 32);
      gpu.launch("argmax_merge", merge, o, values, columns, (int) grid.x());
    } finally {
      gpu.exit();
    }
  }
}
