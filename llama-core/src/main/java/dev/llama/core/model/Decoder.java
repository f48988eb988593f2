package dev.llama.core.model;

import dev.llama.Layer;
import dev.llama.Layer.NormKind;
import dev.llama.ModelConfig;
import dev.llama.core.model.Weights.Linear;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.Batch;
import dev.llama.spi.Ops;
import dev.llama.spi.Ops.Write;
import dev.llama.spi.RopeTable;
import dev.llama.spi.Tensor;
import java.util.ArrayList;
import java.util.List;

/**
 * The forward pass of a decoder-only transformer with pre-norm blocks and rotary positions (Touvron
 * et al. 2023, section 2.2), as the layer definitions describe it. Immutable; what changes is in
 * the {@link Workspace}.
 */
final class Decoder {
  private final Ops ops;
  private final Tensor embedding; // [vocab, hidden]
  private final List<Block> blocks;
  private final Norm finalNorm;
  private final Tensor head; // [vocab, hidden], the embedding itself in tied models

  private record Norm(Tensor weight, Tensor bias, float eps) {} // [hidden], [hidden] or null

  private record Attention(
      Linear query, // [heads * headDim, hidden]
      Linear key, // [kvHeads * headDim, hidden]
      Linear value, // [kvHeads * headDim, hidden]
      Linear output, // [hidden, heads * headDim]
      AttentionSpec spec) {}

  private record Mlp(
      Linear gate, // [intermediate, hidden], null in a plain MLP
      Linear up, // [intermediate, hidden]
      Linear down) {} // [hidden, intermediate]

  private record Block(Norm attentionNorm, Attention attention, Norm mlpNorm, Mlp mlp) {}

  Decoder(ModelConfig config, Weights weights, Ops ops) {
    this.ops = ops;
    List<Layer> layers = config.layers();
    Layer.Embedding first = (Layer.Embedding) layers.get(0);
    embedding = weights.get(first.name() + ".weight");
    blocks = new ArrayList<>(config.numHiddenLayers());
    for (int i = 0; i < config.numHiddenLayers(); i++) {
      List<Layer> block = layers.subList(1 + 4 * i, 5 + 4 * i);
      blocks.add(
          new Block(
              norm(block.get(0), weights),
              attention(block.get(1), weights, i, config.slidingWindow().orElse(0)),
              norm(block.get(2), weights),
              mlp(block.get(3), weights)));
    }
    finalNorm = norm(layers.get(layers.size() - 2), weights);
    Layer.LmHead last = (Layer.LmHead) layers.get(layers.size() - 1);
    head = last.tied() ? embedding : weights.get(last.name() + ".weight");
  }

  private static Norm norm(Layer layer, Weights weights) {
    Layer.Norm norm = (Layer.Norm) layer;
    boolean bias = norm.kind() == NormKind.LAYER_NORM;
    return new Norm(
        weights.get(norm.name() + ".weight"),
        bias ? weights.get(norm.name() + ".bias") : null,
        (float) norm.eps());
  }

  private static Attention attention(Layer layer, Weights weights, int index, int window) {
    Layer.SelfAttention attention = (Layer.SelfAttention) layer;
    String name = attention.name();
    boolean bias = attention.hasBias();
    return new Attention(
        weights.linear(name + ".q_proj", bias),
        weights.linear(name + ".k_proj", bias),
        weights.linear(name + ".v_proj", bias),
        weights.linear(name + ".o_proj", bias),
        new AttentionSpec(
            index,
            attention.numHeads(),
            attention.numKvHeads(),
            attention.headDim(),
            (float) (1 / Math.sqrt(attention.headDim())),
            window));
  }

  private static Mlp mlp(Layer layer, Weights weights) {
    if (layer instanceof Layer.GatedMlp gated) {
      return new Mlp(
          weights.linear(gated.name() + ".gate_proj", gated.hasBias()),
          weights.linear(gated.name() + ".up_proj", gated.hasBias()),
          weights.linear(gated.name() + ".down_proj", gated.hasBias()));
    }
    Layer.Mlp plain = (Layer.Mlp) layer;
    return new Mlp(
        null,
        weights.linear(plain.name() + ".up_proj", plain.hasBias()),
        weights.linear(plain.name() + ".down_proj", plain.hasBias()));
  }

  /**
   * Runs the rows of a batch through all blocks.
   *
   * @param batch committed rows, with room in their caches
   * @param a activations of as many rows; {@code hidden} is the result
   * @param rope rotary frequencies
   * @param firstOutput first row whose result is wanted: behind the last attention, the rows before
   *     it are left out. The number of rows, if only their keys and values are wanted
   */
  void forward(Batch batch, Workspace.Activations a, RopeTable rope, int firstOutput) {
    ops.embed(a.hidden(), embedding, batch.tokens());
    for (Block block : blocks) {
      norm(a.normed(), a.hidden(), block.attentionNorm);
      attend(block.attention, a, batch, rope);
      boolean last = block == blocks.get(blocks.size() - 1);
      if (last && firstOutput == batch.rows()) {
        return;
      }
      Workspace.Activations wanted = last ? a.from(firstOutput) : a;
      addLinear(wanted.hidden(), wanted.attended(), block.attention.output);
      norm(wanted.normed(), wanted.hidden(), block.mlpNorm);
      mlp(block.mlp, wanted);
    }
  }

  /**
   * Turns rows of the last block's output into scores.
   *
   * @param logits the result, [rows, vocab]
   * @param normed work space, [rows, hidden]
   * @param hidden [rows, hidden]
   */
  void logits(Tensor logits, Tensor normed, Tensor hidden) {
    norm(normed, hidden, finalNorm);
    ops.matmul(logits, normed, head, Write.SET);
  }

  private void norm(Tensor out, Tensor x, Norm norm) {
    if (norm.bias == null) {
      ops.rmsNorm(out, null, x, norm.weight, norm.eps);
    } else {
      ops.layerNorm(out, null, null, x, norm.weight, norm.bias, norm.eps);
    }
  }

  private void attend(Attention attention, Workspace.Activations a, Batch batch, RopeTable rope) {
    ops.qkv(
        a.query(),
        a.key(),
        a.value(),
        a.normed(),
        attention.query.weight(),
        attention.key.weight(),
        attention.value.weight());
    addBias(a.query(), attention.query);
    addBias(a.key(), attention.key);
    addBias(a.value(), attention.value);
    ops.rope(a.query(), a.key(), batch.positions(), rope);
    ops.attention(a.attended(), null, a.query(), a.key(), a.value(), batch, attention.spec);
  }

  private void mlp(Mlp mlp, Workspace.Activations a) {
    if (mlp.gate == null) {
      ops.matmul(a.up(), a.normed(), mlp.up.weight(), Write.SET);
      addBias(a.up(), mlp.up);
      ops.gelu(a.up(), a.up());
      addLinear(a.hidden(), a.up(), mlp.down);
    } else if (mlp.gate.bias() == null) {
      ops.gateUp(a.gate(), a.up(), a.normed(), mlp.gate.weight(), mlp.up.weight());
      addLinear(a.hidden(), a.gate(), mlp.down);
    } else {
      ops.matmul(a.gate(), a.normed(), mlp.gate.weight(), Write.SET);
      ops.matmul(a.up(), a.normed(), mlp.up.weight(), Write.SET);
      addBias(a.gate(), mlp.gate);
      addBias(a.up(), mlp.up);
      ops.swiGlu(a.gate(), a.gate(), a.up());
      addLinear(a.hidden(), a.gate(), mlp.down);
    }
  }

  /** The residual connection: {@code residual += x · weightᵀ + bias}. */
  private void addLinear(Tensor residual, Tensor x, Linear linear) {
    ops.matmul(residual, x, linear.weight(), Write.ADD);
    addBias(residual, linear);
  }

  private void addBias(Tensor x, Linear linear) {
    if (linear.bias() != null) {
      ops.addBias(x, linear.bias());
    }
  }
}
