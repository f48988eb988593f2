package dev.llama.core.plan;

import dev.llama.DType;
import dev.llama.core.plan.Blueprint.StageShape;
import dev.llama.core.plan.Estimate.Phase;
import dev.llama.core.plan.Estimate.StageWork;
import dev.llama.core.plan.Shards.Shard;
import java.util.ArrayList;
import java.util.List;

/** Counts operations and transfers. A multiplication and an addition are two operations. */
final class Estimates {
  private final Blueprint model;
  private final Workload work;
  private final double context;
  private final double window;
  private final Split split;
  private final Shards shards;
  private final Roofline roofline;

  /**
   * Prepares estimates.
   *
   * @param window positions that a position sees at most
   */
  Estimates(
      Blueprint model, Workload work, int contextSize, int window, Split split, Roofline roofline) {
    this.model = model;
    this.work = work;
    this.context = contextSize;
    this.window = window;
    this.split = split;
    this.shards = new Shards(model, split.tensor());
    this.roofline = roofline;
  }

  List<Estimate> all() {
    return work instanceof Workload.Inference inference
        ? List.of(prefill(inference), decode(inference))
        : List.of(training());
  }

  /** The weights of a stage, without a table of which a token reads one row. */
  private record Matrices(double blockElements, double headElements, double bytes) {}

  private Matrices matrices(StageShape stage) {
    String table = model.embedding().weights().get(0).name();
    double elements = 0;
    double headElements = stage.last() ? (double) shards.vocab() * model.hiddenSize() : 0;
    double bytes = 0;
    for (Shard shard : shards.of(stage)) {
      boolean isTable = shard.name().equals(table);
      if (!isTable || (stage.last() && model.head().tied())) {
        bytes += shard.bytes(work.weightType());
      }
      if (shard.isMatrix() && shard.name().contains("*")) {
        elements += shard.elements();
      }
    }
    return new Matrices(elements, headElements, bytes);
  }

  /** Operations of attention for one query at one position of the cache, in all blocks. */
  private double attentionFlops(StageShape stage) {
    return 4.0 * stage.blocks() * shards.heads() * shards.headDim();
  }

  /** Bytes of one position's keys and values in all blocks. */
  private double kvBytes(StageShape stage, DType type) {
    return 2.0 * stage.blocks() * shards.kvHeads() * shards.headDim() * type.blockBytes();
  }

  /** Pairs of a query and a key that it sees. */
  private double pairs() {
    double growing = Math.min(window, context);
    return growing * (growing + 1) / 2 + (context - growing) * growing;
  }

  private Estimate decode(Workload.Inference inference) {
    double batch = inference.batchSize();
    double seen = Math.min(window, context) / split.context();
    List<StageWork> stages = new ArrayList<>();
    double seconds = 0;
    for (StageShape stage : model.stages(split.pipeline())) {
      Matrices matrices = matrices(stage);
      double flops =
          batch
              * (2 * (matrices.blockElements + matrices.headElements)
                  + attentionFlops(stage) * seen);
      double bytes = matrices.bytes + batch * seen * kvBytes(stage, inference.kvType());
      stages.add(work(stage, flops, bytes));
      seconds += stages.get(stages.size() - 1).seconds();
    }
    return new Estimate(
        Phase.DECODE,
        batch / seconds,
        "sessions / sum of the stages' seconds for one token of each session",
        stages);
  }

  private Estimate prefill(Workload.Inference inference) {
    double chunk = Math.min(inference.prefillChunk(), context);
    double chunks = Math.ceil(context / chunk);
    double seenByChunk = Math.min((chunks + 1) * chunk / 2, Math.min(window + chunk, context));
    List<StageWork> stages = new ArrayList<>();
    double slowest = 0;
    for (StageShape stage : model.stages(split.pipeline())) {
      Matrices matrices = matrices(stage);
      double flops =
          (context * 2 * matrices.blockElements + attentionFlops(stage) * pairs()) / split.context()
              + 2 * matrices.headElements;
      double bytes =
          chunks
              * (matrices.bytes
                  + seenByChunk * kvBytes(stage, inference.kvType()) / split.context());
      stages.add(work(stage, flops, bytes));
      slowest = Math.max(slowest, stages.get(stages.size() - 1).seconds());
    }
    return new Estimate(
        Phase.PREFILL,
        context / slowest,
        "positions / seconds of the slowest stage for one prompt, whose chunks follow one another"
            + " through the stages",
        stages);
  }

  private Estimate training() {
    int microBatches = TrainingMemory.microBatches(work.batchSize(), split);
    double tokens = work.batchSize() * context;
    List<StageWork> stages = new ArrayList<>();
    double slowest = 0;
    for (StageShape stage : model.stages(split.pipeline())) {
      Matrices matrices = matrices(stage);
      double forward =
          (tokens * 2 * (matrices.blockElements + matrices.headElements)
                  + work.batchSize() * attentionFlops(stage) * pairs())
              / split.context();
      double parameterBytes = 0;
      for (Shard shard : shards.of(stage)) {
        parameterBytes += shard.bytes(DType.F32);
      }
      // Weights: read forward and backward by each micro-batch; read and written by the update.
      // Gradients: read and written by each micro-batch, read by the update. Moments: both twice.
      double passes = 2.0 * microBatches + 2 + 2.0 * microBatches + 1 + 4;
      stages.add(work(stage, 3 * forward, passes * parameterBytes));
      slowest = Math.max(slowest, stages.get(stages.size() - 1).seconds());
    }
    double fill = (microBatches + split.pipeline() - 1.0) / microBatches;
    return new Estimate(
        Phase.TRAINING,
        tokens / (slowest * fill),
        "tokens of a step / (seconds of the slowest stage x (m + p - 1) / m), m micro-batches, p"
            + " stages",
        stages);
  }

  private StageWork work(StageShape stage, double flops, double bytes) {
    return new StageWork(
        stage.index(),
        flops,
        bytes,
        roofline.seconds(flops, bytes),
        roofline.isComputeBound(flops, bytes));
  }
}
