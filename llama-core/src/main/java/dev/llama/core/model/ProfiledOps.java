package dev.llama.core.model;

import dev.llama.OpListener;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.Batch;
import dev.llama.spi.Ops;
import dev.llama.spi.RopeTable;
import dev.llama.spi.SampleOp;
import dev.llama.spi.Tensor;
import java.util.Map;

/** Operations that are timed, each to its end. */
final class ProfiledOps implements Ops {
  private final Ops ops;
  private final Runnable await;
  private final Map<Tensor, String> names;
  private final OpListener listener;

  /**
   * Wraps operations.
   *
   * @param ops run
   * @param await returns when they have run
   * @param names of weights
   * @param listener is told how long they take
   */
  ProfiledOps(Ops ops, Runnable await, Map<Tensor, String> names, OpListener listener) {
    this.ops = ops;
    this.await = await;
    this.names = names;
    this.listener = listener;
  }

  private void time(String name, Runnable op) {
    long start = System.nanoTime();
    op.run();
    await.run();
    listener.ran(name, System.nanoTime() - start);
  }

  /** The operation that draws tokens, timed as well. */
  SampleOp profiled(SampleOp sampleOp) {
    return (out, logits, draws) -> time("sample", () -> sampleOp.sample(out, logits, draws));
  }

  @Override
  public void embed(Tensor out, Tensor table, Tensor indices) {
    time("embed", () -> ops.embed(out, table, indices));
  }

  @Override
  public void rmsNorm(Tensor out, Tensor rstd, Tensor x, Tensor weight, float eps) {
    time("rmsNorm", () -> ops.rmsNorm(out, rstd, x, weight, eps));
  }

  @Override
  public void layerNorm(
      Tensor out, Tensor mean, Tensor rstd, Tensor x, Tensor weight, Tensor bias, float eps) {
    time("layerNorm", () -> ops.layerNorm(out, mean, rstd, x, weight, bias, eps));
  }

  @Override
  public void matmul(Tensor out, Tensor x, Tensor weight, Write write) {
    String name = names.getOrDefault(weight, "activations");
    time("matmul " + name, () -> ops.matmul(out, x, weight, write));
  }

  @Override
  public void addBias(Tensor x, Tensor bias) {
    time("addBias", () -> ops.addBias(x, bias));
  }

  @Override
  public void add(Tensor x, Tensor y) {
    time("add", () -> ops.add(x, y));
  }

  @Override
  public void rope(Tensor q, Tensor k, Tensor positions, RopeTable table) {
    time("rope", () -> ops.rope(q, k, positions, table));
  }

  @Override
  public void attention(
      Tensor out, Tensor lse, Tensor q, Tensor k, Tensor v, Batch batch, AttentionSpec spec) {
    time("attention", () -> ops.attention(out, lse, q, k, v, batch, spec));
  }

  @Override
  public void swiGlu(Tensor out, Tensor gate, Tensor up) {
    time("swiGlu", () -> ops.swiGlu(out, gate, up));
  }

  @Override
  public void gelu(Tensor out, Tensor x) {
    time("gelu", () -> ops.gelu(out, x));
  }

  @Override
  public void argmax(Tensor out, Tensor x) {
    time("argmax", () -> ops.argmax(out, x));
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
    time("qkv", () -> ops.qkv(q, k, v, x, queryWeight, keyWeight, valueWeight));
  }

  @Override
  public void gateUp(Tensor gate, Tensor up, Tensor x, Tensor gateWeight, Tensor upWeight) {
    time("gateUp", () -> ops.gateUp(gate, up, x, gateWeight, upWeight));
  }
}
