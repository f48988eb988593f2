package dev.llama.train;

import dev.llama.Layer;
import dev.llama.Layer.NormKind;
import dev.llama.ModelConfig;
import dev.llama.spi.AttentionDropout;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.Batch;
import dev.llama.spi.GradOps;
import dev.llama.spi.Ops;
import dev.llama.spi.Ops.Write;
import dev.llama.spi.RopeTable;
import dev.llama.spi.Tensor;
import dev.llama.train.Activations.NormStatistics;
import dev.llama.train.Parameters.Linear;
import dev.llama.train.Parameters.Parameter;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Forward and backward pass of the decoder that the layer definitions describe: the same that
 * inference runs, with what the backward pass needs kept in {@link Activations}. Each method that
 * goes forward has its twin that goes backward below it.
 */
final class Network {
  private final Ops ops;
  private final GradOps grad;
  private final RopeTable rope;
  private final Activations a;
  private final Parameter embedding; // [vocab, hidden]
  private final List<Block> blocks = new ArrayList<>();
  private final Norm finalNorm;
  private final Parameter head; // [vocab, hidden], the embedding itself in tied models

  private record Norm(Parameter weight, Parameter bias, float eps) {} // [hidden], or no bias

  private record Attention(
      Linear query, // [heads * headDim, hidden]
      Linear key, // [kvHeads * headDim, hidden]
      Linear value, // [kvHeads * headDim, hidden]
      Linear output, // [hidden, heads * headDim]
      AttentionSpec spec,
      AttentionSpec trainingSpec) {} // with dropout, if there is any

  private record Mlp(
      Linear gate, // [intermediate, hidden], null in a plain MLP
      Linear up, // [intermediate, hidden]
      Linear down) {} // [hidden, intermediate]

  private record Block(
      Norm attentionNorm, Attention attention, Norm mlpNorm, Mlp mlp, Activations.Block kept) {}

  Network(
      ModelConfig config,
      Parameters parameters,
      Activations activations,
      RopeTable rope,
      Ops ops,
      GradOps grad,
      Optional<AttentionDropout> dropout) {
    this.ops = ops;
    this.grad = grad;
    this.rope = rope;
    this.a = activations;
    List<Layer> layers = config.layers();
    embedding = parameters.get(layers.get(0).name() + ".weight");
    for (int i = 0; i < config.numHiddenLayers(); i++) {
      List<Layer> block = layers.subList(1 + 4 * i, 5 + 4 * i);
      blocks.add(
          new Block(
              norm(block.get(0), parameters),
              attention(block.get(1), parameters, i, config.slidingWindow().orElse(0), dropout),
              norm(block.get(2), parameters),
              mlp(block.get(3), parameters),
              activations.blocks.get(i)));
    }
    finalNorm = norm(layers.get(layers.size() - 2), parameters);
    Layer.LmHead last = (Layer.LmHead) layers.get(layers.size() - 1);
    head = last.tied() ? embedding : parameters.get(last.name() + ".weight");
  }

  private static Norm norm(Layer layer, Parameters parameters) {
    Layer.Norm norm = (Layer.Norm) layer;
    boolean bias = norm.kind() == NormKind.LAYER_NORM;
    return new Norm(
        parameters.get(norm.name() + ".weight"),
        bias ? parameters.get(norm.name() + ".bias") : null,
        (float) norm.eps());
  }

  private static Attention attention(
      Layer layer,
      Parameters parameters,
      int index,
      int window,
      Optional<AttentionDropout> dropout) {
    Layer.SelfAttention attention = (Layer.SelfAttention) layer;
    String name = attention.name();
    boolean bias = attention.hasBias();
    AttentionSpec spec =
        new AttentionSpec(
            index,
            attention.numHeads(),
            attention.numKvHeads(),
            attention.headDim(),
            (float) (1 / Math.sqrt(attention.headDim())),
            window);
    return new Attention(
        parameters.linear(name + ".q_proj", bias),
        parameters.linear(name + ".k_proj", bias),
        parameters.linear(name + ".v_proj", bias),
        parameters.linear(name + ".o_proj", bias),
        spec,
        dropout.map(spec::withDropout).orElse(spec));
  }

  private static Mlp mlp(Layer layer, Parameters parameters) {
    if (layer instanceof Layer.GatedMlp gated) {
      return new Mlp(
          parameters.linear(gated.name() + ".gate_proj", gated.hasBias()),
          parameters.linear(gated.name() + ".up_proj", gated.hasBias()),
          parameters.linear(gated.name() + ".down_proj", gated.hasBias()));
    }
    Layer.Mlp plain = (Layer.Mlp) layer;
    return new Mlp(
        null,
        parameters.linear(plain.name() + ".up_proj", plain.hasBias()),
        parameters.linear(plain.name() + ".down_proj", plain.hasBias()));
  }

  /**
   * Runs the rows of a batch through all blocks; the result is {@code last}.
   *
   * @param training whether attention weights are dropped
   */
  void forward(Batch batch, boolean training) {
    ops.embed(blocks.get(0).kept.input(), embedding.weight(), batch.tokens());
    for (int i = 0; i < blocks.size(); i++) {
      Block block = blocks.get(i);
      Activations.Block kept = block.kept;
      norm(a.normed, kept.attentionNorm(), kept.input(), block.attentionNorm);
      attend(block.attention, kept, batch, training);
      linear(kept.middle(), kept.attended(), block.attention.output);
      ops.add(kept.middle(), kept.input());
      norm(a.normed, kept.mlpNorm(), kept.middle(), block.mlpNorm);
      mlp(block.mlp, kept);
      Tensor output = i + 1 < blocks.size() ? blocks.get(i + 1).kept.input() : a.last;
      linear(output, a.activated, block.mlp.down);
      ops.add(output, kept.middle());
    }
  }

  /** From the gradient of {@code last}, in {@code dHidden}, to those of all weights of blocks. */
  void backward(Batch batch) {
    for (int i = blocks.size() - 1; i >= 0; i--) {
      Block block = blocks.get(i);
      Activations.Block kept = block.kept;
      norm(a.normed, kept.mlpNorm(), kept.middle(), block.mlpNorm);
      mlpBackward(block.mlp, kept);
      normBackward(kept.mlpNorm(), kept.middle(), block.mlpNorm);
      norm(a.normed, kept.attentionNorm(), kept.input(), block.attentionNorm);
      linearBackward(a.dAttended, a.dHidden, kept.attended(), block.attention.output, Write.SET);
      attendBackward(block.attention, kept, batch);
      normBackward(kept.attentionNorm(), kept.input(), block.attentionNorm);
    }
    grad.embed(embedding.gradient(), a.dHidden, batch.tokens());
  }

  /** Loss of every row, from {@code last}. */
  void loss() {
    norm(a.normed, a.lastNorm, a.last, finalNorm);
    for (Activations.Chunk chunk : a.chunks) {
      ops.matmul(chunk.logits(), chunk.normed(), head.weight(), Write.SET);
      grad.crossEntropy(chunk.loss(), null, chunk.logits(), chunk.targets(), a.scale);
    }
  }

  /** Loss of every row, and the gradient of {@code last}. */
  void lossAndGradient() {
    norm(a.normed, a.lastNorm, a.last, finalNorm);
    for (Activations.Chunk chunk : a.chunks) {
      Tensor logits = chunk.logits();
      ops.matmul(logits, chunk.normed(), head.weight(), Write.SET);
      grad.crossEntropy(chunk.loss(), logits, logits, chunk.targets(), a.scale);
      grad.matmul(
          chunk.dNormed(), head.gradient(), logits, chunk.normed(), head.weight(), Write.SET);
    }
    normGradient(a.dHidden, a.lastNorm, a.last, finalNorm);
  }

  private void attend(Attention attention, Activations.Block kept, Batch batch, boolean training) {
    linear(kept.query(), a.normed, attention.query);
    linear(kept.key(), a.normed, attention.key);
    linear(kept.value(), a.normed, attention.value);
    ops.rope(kept.query(), kept.key(), batch.positions(), rope);
    ops.attention(
        kept.attended(),
        kept.lse(),
        kept.query(),
        kept.key(),
        kept.value(),
        batch,
        training ? attention.trainingSpec : attention.spec);
  }

  /** From {@code dAttended} to {@code dNormed}. */
  private void attendBackward(Attention attention, Activations.Block kept, Batch batch) {
    grad.attention(
        a.dQuery,
        a.dKey,
        a.dValue,
        a.dAttended,
        kept.attended(),
        kept.lse(),
        kept.query(),
        kept.key(),
        kept.value(),
        batch,
        attention.trainingSpec);
    grad.rope(a.dQuery, a.dKey, batch.positions(), rope);
    linearBackward(a.dNormed, a.dQuery, a.normed, attention.query, Write.SET);
    linearBackward(a.dNormed, a.dKey, a.normed, attention.key, Write.ADD);
    linearBackward(a.dNormed, a.dValue, a.normed, attention.value, Write.ADD);
  }

  /** From {@code normed} to {@code activated}. */
  private void mlp(Mlp mlp, Activations.Block kept) {
    linear(kept.up(), a.normed, mlp.up);
    if (mlp.gate != null) {
      linear(kept.gate(), a.normed, mlp.gate);
    }
    activate(kept);
  }

  private void activate(Activations.Block kept) {
    if (kept.gate() == null) {
      ops.gelu(a.activated, kept.up());
    } else {
      ops.swiGlu(a.activated, kept.gate(), kept.up());
    }
  }

  /** From {@code dHidden} to {@code dNormed}. */
  private void mlpBackward(Mlp mlp, Activations.Block kept) {
    activate(kept);
    linearBackward(a.dActivated, a.dHidden, a.activated, mlp.down, Write.SET);
    if (mlp.gate == null) {
      grad.gelu(a.dActivated, a.dActivated, kept.up());
      linearBackward(a.dNormed, a.dActivated, a.normed, mlp.up, Write.SET);
      return;
    }
    Tensor dGate = a.dActivated;
    Tensor dUp = a.activated; // no longer needed
    grad.swiGlu(dGate, dUp, a.dActivated, kept.gate(), kept.up());
    linearBackward(a.dNormed, dGate, a.normed, mlp.gate, Write.SET);
    linearBackward(a.dNormed, dUp, a.normed, mlp.up, Write.ADD);
  }

  private void norm(Tensor out, NormStatistics statistics, Tensor x, Norm norm) {
    if (norm.bias == null) {
      ops.rmsNorm(out, statistics.rstd(), x, norm.weight.weight(), norm.eps);
    } else {
      ops.layerNorm(
          out,
          statistics.mean(),
          statistics.rstd(),
          x,
          norm.weight.weight(),
          norm.bias.weight(),
          norm.eps);
    }
  }

  /** From {@code dNormed}, through the norm of a branch, to {@code dHidden}, which it joins. */
  private void normBackward(NormStatistics statistics, Tensor x, Norm norm) {
    normGradient(a.dBranch, statistics, x, norm);
    ops.add(a.dHidden, a.dBranch);
  }

  private void normGradient(Tensor dX, NormStatistics statistics, Tensor x, Norm norm) {
    Parameter weight = norm.weight;
    if (norm.bias == null) {
      grad.rmsNorm(dX, weight.gradient(), a.dNormed, x, weight.weight(), statistics.rstd());
    } else {
      grad.layerNorm(
          dX,
          weight.gradient(),
          norm.bias.gradient(),
          a.dNormed,
          x,
          weight.weight(),
          statistics.mean(),
          statistics.rstd());
    }
  }

  private void linear(Tensor out, Tensor x, Linear linear) {
    ops.matmul(out, x, linear.weight().weight(), Write.SET);
    if (linear.bias() != null) {
      ops.addBias(out, linear.bias().weight());
    }
  }

  private void linearBackward(Tensor dX, Tensor dOut, Tensor x, Linear linear, Write write) {
    Parameter weight = linear.weight();
    grad.matmul(dX, weight.gradient(), dOut, x, weight.weight(), write);
    if (linear.bias() != null) {
      grad.addBias(linear.bias().gradient(), dOut);
    }
  }
}
