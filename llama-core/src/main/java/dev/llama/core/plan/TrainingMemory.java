package dev.llama.core.plan;

import static dev.llama.core.plan.InferenceMemory.ceilDiv;

import dev.llama.DType;
import dev.llama.Layer.NormKind;
import dev.llama.core.plan.Blueprint.StageShape;
import dev.llama.core.plan.Shards.Shard;
import dev.llama.core.plan.Term.Kind;
import java.util.ArrayList;
import java.util.List;

/**
 * The memory of training steps with AdamW in F32. Each block keeps what its backward pass reads:
 * the residual stream before each norm, the norms' outputs and reciprocal deviations, queries,
 * keys, values, the output and the log-sum-exp of attention (whose weights are computed again, Dao
 * et al. 2022), and the MLP's gate, up and their product. Gradients of activations exist for one
 * block at a time.
 *
 * <p>With a pipeline the batch goes through in min(batch, stages) micro-batches, one forward, one
 * backward (Narayanan et al. 2021): stage {@code s} of {@code p} holds at most {@code p - s} of
 * them.
 */
final class TrainingMemory {
  private final Blueprint model;
  private final int batchSize;
  private final int contextSize;
  private final Split split;
  private final Shards shards;

  TrainingMemory(Blueprint model, Workload.Training work, int contextSize, Split split) {
    this.model = model;
    this.batchSize = work.batchSize();
    this.contextSize = contextSize;
    this.split = split;
    this.shards = new Shards(model, split.tensor());
  }

  /** Micro-batches of a step. */
  static int microBatches(int batchSize, Split split) {
    return Math.min(batchSize, split.pipeline());
  }

  List<Term> terms(StageShape stage) {
    List<Term> terms = new ArrayList<>();
    List<Shard> weights = shards.of(stage);
    long parameters = 0;
    for (Shard shard : weights) {
      terms.add(shard.term(Kind.WEIGHTS, DType.F32));
      parameters = Math.addExact(parameters, shard.elements());
    }
    int microBatches = microBatches(batchSize, split);
    long rows =
        Math.multiplyExact(ceilDiv(batchSize, microBatches), ceilDiv(contextSize, split.context()));
    int kept = Math.min(microBatches, split.pipeline() - stage.index());
    addBlocks(terms, stage, rows, kept);
    if (stage.last()) {
      addHead(terms, rows, kept);
    }
    addGradientsOfActivations(terms, rows);
    terms.add(
        Product.of(parameters, "parameters")
            .times(4, "bytes (F32)")
            .term(Kind.GRADIENTS, "gradients of the weights"));
    terms.add(
        Product.of(parameters, "parameters")
            .times(2, "")
            .times(4, "bytes (F32)")
            .term(Kind.OPTIMIZER, "first and second moments"));
    return terms;
  }

  private long residualRows(long rows) {
    return split.sequence() ? ceilDiv(rows, split.tensor()) : rows;
  }

  private long queryWidth() {
    return (long) shards.heads() * shards.headDim();
  }

  private long keyWidth() {
    return (long) shards.kvHeads() * shards.headDim();
  }

  /** Reciprocal deviations, and means where the norm has them. */
  private int normStatistics() {
    return model.finalNorm().kind() == NormKind.RMS_NORM ? 1 : 2;
  }

  private void addBlocks(List<Term> terms, StageShape stage, long rows, int kept) {
    long residual = residualRows(rows);
    int blocks = stage.blocks();
    int hidden = model.hiddenSize();
    int mlp = model.isGated() ? 3 : 2;
    terms.add(kept(kept, blocks, residual, 4, hidden, "inputs and outputs of the norms"));
    terms.add(kept(kept, blocks, residual, 2, normStatistics(), "statistics of the norms"));
    terms.add(kept(kept, blocks, rows, 2, queryWidth(), "queries, output of attention"));
    terms.add(kept(kept, blocks, rows, 2, keyWidth(), "keys, values"));
    terms.add(kept(kept, blocks, rows, 1, shards.heads(), "log-sum-exp of attention"));
    terms.add(
        kept(
            kept,
            blocks,
            rows,
            mlp,
            shards.intermediate(),
            model.isGated() ? "gate, up and product of the MLP" : "input and output of GELU"));
    if (stage.first()) {
      terms.add(
          Product.of(kept, "micro-batches")
              .times(rows, "rows")
              .times(2, "")
              .times(4, "bytes (I32)")
              .term(Kind.ACTIVATIONS, "tokens, positions"));
    }
  }

  private void addHead(List<Term> terms, long rows, int kept) {
    long residual = residualRows(rows);
    terms.add(kept(kept, 1, residual, 2, model.hiddenSize(), "input and output of the last norm"));
    terms.add(kept(kept, 1, residual, 1, normStatistics(), "statistics of the last norm"));
    terms.add(kept(kept, 1, rows, 1, shards.vocab(), "logits, replaced by their gradient"));
    terms.add(kept(kept, 1, rows, 2, 1, "targets, losses"));
  }

  private void addGradientsOfActivations(List<Term> terms, long rows) {
    String of = "gradients of ";
    int mlp = model.isGated() ? 2 : 1;
    terms.add(
        kept(1, 1, residualRows(rows), 2, model.hiddenSize(), of + "residual stream and norm"));
    terms.add(kept(1, 1, rows, 2, queryWidth(), of + "queries, output of attention"));
    terms.add(kept(1, 1, rows, 2, keyWidth(), of + "keys, values"));
    terms.add(kept(1, 1, rows, mlp, shards.intermediate(), of + "the MLP"));
  }

  private static Term kept(
      long microBatches, long blocks, long rows, int tensors, long width, String name) {
    return Product.of(microBatches, "micro-batches")
        .times(blocks, "blocks")
        .times(rows, "rows")
        .times(tensors, "")
        .times(width, "")
        .times(4, "bytes (F32)")
        .term(Kind.ACTIVATIONS, name);
  }
}
