package dev.llama.core.plan;

import dev.llama.DType;
import dev.llama.Layer;
import dev.llama.Layer.Parallelism;
import dev.llama.Layer.Weight;
import dev.llama.core.plan.Blueprint.StageShape;
import dev.llama.core.plan.Term.Kind;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * What one device of a tensor group holds of the weights (Shoeybi et al. 2019, section 3): rows of
 * the matrices that open a layer, columns of those that close it, rows of embedding and output.
 */
final class Shards {
  private final Blueprint model;
  private final int tensor;

  Shards(Blueprint model, int tensor) {
    this.model = model;
    this.tensor = tensor;
  }

  /** A weight's part on this device, as often as a stage has it. */
  record Shard(String name, long count, List<Long> shape) {
    boolean isMatrix() {
      return shape.size() == 2;
    }

    long elements() {
      long elements = count;
      for (long size : shape) {
        elements = Math.multiplyExact(elements, size);
      }
      return elements;
    }

    /** Vectors are F32; rows that are no multiple of a block cannot be quantised and are F16. */
    DType type(DType matrices) {
      if (!isMatrix()) {
        return DType.F32;
      }
      return shape.get(1) % matrices.blockElements() == 0 ? matrices : DType.F16;
    }

    Term term(Kind kind, DType matrices) {
      Product product = Product.of(count, "");
      shape.forEach(size -> product.times(size, ""));
      return product.stored(type(matrices)).term(kind, name);
    }

    long bytes(DType matrices) {
      return type(matrices).bytes(elements());
    }
  }

  /** Why a model cannot be split so, or nothing. */
  static Optional<String> obstacle(Blueprint model, int tensor) {
    int heads = model.attention().numHeads();
    int kvHeads = model.attention().numKvHeads();
    int intermediate = model.intermediateSize();
    if (heads % tensor != 0) {
      return Optional.of("does not divide the " + heads + " attention heads");
    }
    if (kvHeads % tensor != 0 && tensor % kvHeads != 0) {
      return Optional.of(
          "neither divides the " + kvHeads + " key and value heads nor is a multiple of them");
    }
    if (intermediate % tensor != 0) {
      return Optional.of("does not divide the intermediate size " + intermediate);
    }
    if (model.vocabSize() < tensor) {
      return Optional.of("exceeds the vocabulary of " + model.vocabSize());
    }
    return Optional.empty();
  }

  int heads() {
    return model.attention().numHeads() / tensor;
  }

  /** Beyond the number of key heads each device has one, and several have the same. */
  int kvHeads() {
    return Math.max(1, model.attention().numKvHeads() / tensor);
  }

  int headDim() {
    return model.attention().headDim();
  }

  int intermediate() {
    return model.intermediateSize() / tensor;
  }

  /** The larger share, where the degree does not divide the vocabulary. */
  int vocab() {
    return (model.vocabSize() + tensor - 1) / tensor;
  }

  /** What one device of a stage holds, in the order of a token's way. */
  List<Shard> of(StageShape stage) {
    Map<String, Shard> shards = new LinkedHashMap<>();
    if (stage.first()) {
      add(shards, model.embedding(), 1);
    }
    for (Layer layer : model.block()) {
      add(shards, layer, stage.blocks());
    }
    if (stage.last()) {
      add(shards, model.finalNorm(), 1);
      if (model.head().tied() && !stage.first()) {
        add(shards, model.embedding(), 1);
      }
      add(shards, model.head(), 1);
    }
    return new ArrayList<>(shards.values());
  }

  private void add(Map<String, Shard> shards, Layer layer, int count) {
    for (Weight weight : layer.weights()) {
      String name = weight.name().replaceFirst("\\.[0-9]+\\.", ".*.");
      shards.put(name, new Shard(name, count, shape(layer, weight)));
    }
  }

  private List<Long> shape(Layer layer, Weight weight) {
    List<Long> shape = weight.shape();
    if (!layer.parallelism().contains(Parallelism.TENSOR)) {
      return shape;
    }
    String local = weight.name().substring(layer.name().length() + 1);
    boolean closes = local.startsWith("o_proj") || local.startsWith("down_proj");
    if (closes) { // the bias is added once, behind the sum over devices
      return shape.size() == 1 ? shape : List.of(shape.get(0), shape.get(1) / tensor);
    }
    long rows;
    if (layer instanceof Layer.SelfAttention) {
      rows = (long) (local.startsWith("q_proj") ? heads() : kvHeads()) * headDim();
    } else if (layer instanceof Layer.Embedding || layer instanceof Layer.LmHead) {
      rows = vocab();
    } else {
      rows = intermediate();
    }
    return shape.size() == 1 ? List.of(rows) : List.of(rows, shape.get(1));
  }
}
