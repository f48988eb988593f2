package dev.llama.core.plan;

import dev.llama.Layer;
import dev.llama.Layer.Parallelism;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/**
 * How one kind of layers is split over the devices of a stage.
 *
 * @param kind of layer, for instance {@code "GroupedQueryAttention"}
 * @param supported ways in which it can be split
 * @param here what each device has in this plan
 */
public record LayerSplit(String kind, Set<Parallelism> supported, String here) {
  /** Copies the set. */
  public LayerSplit {
    Set<Parallelism> copy = EnumSet.noneOf(Parallelism.class);
    copy.addAll(supported);
    supported = Collections.unmodifiableSet(copy);
  }

  static List<LayerSplit> of(Blueprint model, Split split) {
    Shards shards = new Shards(model, split.tensor());
    List<LayerSplit> kinds = new ArrayList<>();
    for (Layer layer : model.kinds()) {
      kinds.add(
          new LayerSplit(
              layer.getClass().getSimpleName(), layer.parallelism(), here(layer, shards, split)));
    }
    return kinds;
  }

  private static String here(Layer layer, Shards shards, Split split) {
    if (layer instanceof Layer.SelfAttention attention) {
      return share(shards.heads(), attention.numHeads(), "heads")
          + ", "
          + share(shards.kvHeads(), attention.numKvHeads(), "key and value heads")
          + (split.tensor() > attention.numKvHeads()
              ? " (copies on " + split.tensor() / attention.numKvHeads() + " devices each)"
              : "")
          + (split.context() > 1 ? ", 1/" + split.context() + " of the positions" : "");
    } else if (layer instanceof Layer.GatedMlp mlp) {
      return mlp(shards, split, mlp.intermediateSize());
    } else if (layer instanceof Layer.Mlp mlp) {
      return mlp(shards, split, mlp.intermediateSize());
    } else if (layer instanceof Layer.Norm) {
      return "a whole copy" + (split.sequence() ? ", 1/" + split.tensor() + " of the rows" : "");
    } else if (layer instanceof Layer.Embedding embedding) {
      return vocabulary(shards, split, embedding.vocabSize());
    }
    Layer.LmHead head = (Layer.LmHead) layer;
    String tied =
        !head.tied()
            ? ""
            : split.pipeline() == 1
                ? ", the embedding's matrix"
                : ", a copy of the embedding's matrix on the last stage";
    return vocabulary(shards, split, head.vocabSize()) + tied;
  }

  private static String mlp(Shards shards, Split split, int intermediate) {
    return share(shards.intermediate(), intermediate, "columns between")
        + (split.sequence() ? ", input and output 1/" + split.tensor() + " of the rows" : "");
  }

  private static String vocabulary(Shards shards, Split split, int vocab) {
    return share(shards.vocab(), vocab, "rows")
        + (vocab % split.tensor() == 0 ? "" : " or one less");
  }

  private static String share(int own, int all, String noun) {
    return own == all ? "all " + all + " " + noun : own + " of " + all + " " + noun;
  }
}
