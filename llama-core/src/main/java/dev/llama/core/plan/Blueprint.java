package dev.llama.core.plan;

import dev.llama.Layer;
import dev.llama.ModelConfig;
import java.util.ArrayList;
import java.util.List;

/** The layers of a model: all blocks are like the first. */
record Blueprint(
    Layer.Embedding embedding,
    Layer.SelfAttention attention,
    Layer mlp,
    List<Layer> block, // norm, attention, norm, MLP
    Layer.Norm finalNorm,
    Layer.LmHead head,
    int blocks) {

  private static final int LAYERS_PER_BLOCK = 4;

  static Blueprint of(ModelConfig config) {
    List<Layer> layers = config.layers();
    List<Layer> block = layers.subList(1, 1 + LAYERS_PER_BLOCK);
    return new Blueprint(
        (Layer.Embedding) layers.get(0),
        (Layer.SelfAttention) block.get(1),
        block.get(3),
        block,
        (Layer.Norm) layers.get(layers.size() - 2),
        (Layer.LmHead) layers.get(layers.size() - 1),
        config.numHiddenLayers());
  }

  /** One layer of each kind, in the order of a token's way. */
  List<Layer> kinds() {
    return List.of(embedding, block.get(0), attention, mlp, head);
  }

  int hiddenSize() {
    return embedding.hiddenSize();
  }

  int vocabSize() {
    return embedding.vocabSize();
  }

  boolean isGated() {
    return mlp instanceof Layer.GatedMlp;
  }

  int intermediateSize() {
    return mlp instanceof Layer.GatedMlp gated
        ? gated.intermediateSize()
        : ((Layer.Mlp) mlp).intermediateSize();
  }

  /**
   * The stages of a pipeline: blocks as evenly as possible; where some get one more, those in the
   * middle first, since the first has the embedding and the last the output.
   */
  List<StageShape> stages(int pipeline) {
    int each = blocks / pipeline;
    int extra = blocks % pipeline;
    List<StageShape> stages = new ArrayList<>(pipeline);
    int next = 0;
    for (int i = 0; i < pipeline; i++) {
      // In the order 1, 2, ..., pipeline - 2, 0, pipeline - 1.
      int turn = i == pipeline - 1 ? i : i == 0 ? Math.max(0, pipeline - 2) : i - 1;
      int count = each + (turn < extra ? 1 : 0);
      stages.add(new StageShape(i, pipeline, next, count));
      next += count;
    }
    return stages;
  }

  /** Which blocks a stage has. */
  record StageShape(int index, int of, int firstBlock, int blocks) {
    boolean first() {
      return index == 0;
    }

    boolean last() {
      return index == of - 1;
    }
  }
}
