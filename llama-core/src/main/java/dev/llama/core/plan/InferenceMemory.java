package dev.llama.core.plan;

import dev.llama.core.plan.Blueprint.StageShape;
import dev.llama.core.plan.Shards.Shard;
import dev.llama.core.plan.Term.Kind;
import java.util.ArrayList;
import java.util.List;

/**
 * The memory of sessions that run at once, as {@code dev.llama.core.model} takes it: a KV cache
 * each, and work spaces of a power of two rows. A session borrows a work space for a chunk of its
 * prompt, or of one row for a token; the last chunk of a prompt takes the power of two that holds
 * it, and up to four idle work spaces of each size are kept for the next who needs one.
 */
final class InferenceMemory {
  /** As in the work space: rows of logits computed at a time. */
  private static final int LOGIT_ROWS = 16;

  /** As in the pool of work spaces. */
  private static final int MAX_IDLE = 4;

  /** Positions of a page of backend-cpu's caches. */
  private static final int PAGE = 64;

  private final Blueprint model;
  private final Workload.Inference work;
  private final int contextSize;
  private final Split split;
  private final Shards shards;

  InferenceMemory(Blueprint model, Workload.Inference work, int contextSize, Split split) {
    this.model = model;
    this.work = work;
    this.contextSize = contextSize;
    this.split = split;
    this.shards = new Shards(model, split.tensor());
  }

  /** The work spaces of a device in all. */
  private record WorkSpaces(long count, long rows, long residualRows, long logitRows) {}

  private WorkSpaces workSpaces() {
    int largest = ceilingPowerOfTwo(Math.min(work.prefillChunk(), contextSize));
    long count = 0;
    long rows = 0;
    long residualRows = 0;
    long logitRows = 0;
    for (int size = largest; size >= 1; size /= 2) {
      long ofSize = size == largest ? work.batchSize() : Math.min(work.batchSize(), MAX_IDLE);
      long own = ceilDiv(size, split.context());
      count += ofSize;
      rows += ofSize * own;
      residualRows += ofSize * (split.sequence() ? ceilDiv(own, split.tensor()) : own);
      logitRows += ofSize * Math.min(own, LOGIT_ROWS);
    }
    return new WorkSpaces(count, rows, residualRows, logitRows);
  }

  private static int ceilingPowerOfTwo(int value) {
    return value == 1 ? 1 : (int) Math.min(1 << 30, 2L * Integer.highestOneBit(value - 1));
  }

  static long ceilDiv(long value, long divisor) {
    return (value + divisor - 1) / divisor;
  }

  List<Term> terms(StageShape stage) {
    List<Term> terms = new ArrayList<>();
    for (Shard shard : shards.of(stage)) {
      terms.add(shard.term(Kind.WEIGHTS, work.weightType()));
    }
    long positions = ceilDiv(ceilDiv(contextSize, split.context()), PAGE) * PAGE;
    terms.add(
        Product.of(work.batchSize(), "sessions")
            .times(positions, "positions")
            .times(stage.blocks(), "blocks")
            .times(2, "(key, value)")
            .times(shards.kvHeads(), "heads")
            .times(shards.headDim(), "")
            .stored(work.kvType())
            .term(Kind.KV_CACHE, "keys and values"));
    addWorkSpaces(terms, stage, workSpaces());
    return terms;
  }

  private void addWorkSpaces(List<Term> terms, StageShape stage, WorkSpaces spaces) {
    long query = (long) shards.heads() * shards.headDim();
    long key = (long) shards.kvHeads() * shards.headDim();
    terms.add(
        floats(spaces.residualRows(), 2, model.hiddenSize(), "residual stream, output of norms"));
    terms.add(floats(spaces.rows(), 2, query, "queries, output of attention"));
    terms.add(floats(spaces.rows(), 2, key, "keys, values"));
    terms.add(floats(spaces.rows(), 2, shards.intermediate(), "gate and up of the MLP"));
    terms.add(
        Product.of(spaces.rows(), "rows")
            .times(2, "")
            .times(4, "bytes (I32)")
            .term(Kind.ACTIVATIONS, "tokens, positions"));
    terms.add(
        Product.of(spaces.count(), "work spaces")
            .times(4, "bytes (F32)")
            .term(Kind.ACTIVATIONS, "fence of each work space"));
    terms.add(
        Product.of(shards.headDim() / 2, "pairs")
            .times(4, "bytes (F32)")
            .term(Kind.ACTIVATIONS, "rotary frequencies"));
    if (stage.last()) {
      terms.add(floats(spaces.logitRows(), 1, shards.vocab(), "logits"));
      terms.add(
          Product.of(work.batchSize() + spaces.count(), "sessions and work spaces")
              .times(model.vocabSize(), "logits")
              .times(4, "bytes (F32)")
              .term(Kind.HOST, "copies of logits"));
    }
    if (stage.first()) {
      terms.add(
          Product.of(work.batchSize(), "sessions")
              .times(contextSize, "positions")
              .times(4, "bytes (I32)")
              .term(Kind.HOST, "tokens of sessions"));
      terms.add(
          Product.of(spaces.rows(), "rows")
              .times(4, "bytes (I32)")
              .term(Kind.HOST, "tokens of work spaces"));
    }
  }

  private static Term floats(long rows, int tensors, long width, String name) {
    return Product.of(rows, "rows")
        .times(tensors, "")
        .times(width, "")
        .times(4, "bytes (F32)")
        .term(Kind.ACTIVATIONS, name);
  }
}
