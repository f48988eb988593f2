package dev.llama.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.llama.Layer;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Layers that are equal but for the number of their block.
 *
 * @param first number of the first block, or -1 for a layer outside the blocks
 * @param layers one or more, in the order of the model
 */
record LayerGroup(int first, List<Layer> layers) {
  private static final Pattern IN_BLOCK = Pattern.compile("(.+\\.)(\\d+)(\\..+)");

  /** Collapses runs of equal blocks. */
  static List<LayerGroup> of(List<Layer> layers) {
    List<LayerGroup> groups = new ArrayList<>();
    List<List<Layer>> run = new ArrayList<>();
    for (List<Layer> block : blocks(layers)) {
      if (!run.isEmpty() && !signature(block).equals(signature(run.get(0)))) {
        collapse(run, groups);
        run.clear();
      }
      run.add(block);
    }
    collapse(run, groups);
    return groups;
  }

  /** Layers with the same number of a block, together; others alone. */
  private static List<List<Layer>> blocks(List<Layer> layers) {
    List<List<Layer>> blocks = new ArrayList<>();
    int previous = -1;
    for (Layer layer : layers) {
      int number = number(layer);
      if (number < 0 || number != previous) {
        blocks.add(new ArrayList<>());
      }
      blocks.get(blocks.size() - 1).add(layer);
      previous = number;
    }
    return blocks;
  }

  private static void collapse(List<List<Layer>> run, List<LayerGroup> groups) {
    for (int place = 0; !run.isEmpty() && place < run.get(0).size(); place++) {
      List<Layer> equal = new ArrayList<>();
      for (List<Layer> block : run) {
        equal.add(block.get(place));
      }
      groups.add(new LayerGroup(number(equal.get(0)), equal));
    }
  }

  private static int number(Layer layer) {
    Matcher matcher = IN_BLOCK.matcher(layer.name());
    return matcher.matches() ? Integer.parseInt(matcher.group(2)) : -1;
  }

  /** Names without the block's number, kinds, and the shapes of all weights. */
  private static String signature(List<Layer> block) {
    return block.stream()
        .map(layer -> generic(layer.name()) + kind(layer) + shapes(layer))
        .collect(Collectors.joining("\n"));
  }

  private static String generic(String name) {
    return IN_BLOCK.matcher(name).replaceFirst("$1*$3");
  }

  private static String shapes(Layer layer) {
    return layer.weights().stream()
        .map(weight -> weight.shape().toString())
        .collect(Collectors.joining());
  }

  private static String kind(Layer layer) {
    if (layer instanceof Layer.Norm norm) {
      return norm.kind() == Layer.NormKind.RMS_NORM ? "RmsNorm" : "LayerNorm";
    }
    return layer.getClass().getSimpleName();
  }

  int count() {
    return layers.size();
  }

  /** For instance {@code "model.layers.0-15.mlp"}. */
  String name() {
    String name = layers.get(0).name();
    if (first < 0 || count() == 1) {
      return name;
    }
    return IN_BLOCK
        .matcher(name)
        .replaceFirst("$1" + first + "-" + number(layers.get(count() - 1)) + "$3");
  }

  String kind() {
    return kind(layers.get(0));
  }

  long parametersEach() {
    return layers.get(0).parameterCount();
  }

  long parameters() {
    return parametersEach() * count();
  }

  /** The sizes in words. */
  String sizes() {
    Layer layer = layers.get(0);
    if (layer instanceof Layer.Embedding embedding) {
      return embedding.vocabSize() + " x " + embedding.hiddenSize();
    } else if (layer instanceof Layer.SelfAttention attention) {
      return attention.numHeads()
          + " heads of "
          + attention.headDim()
          + ", "
          + Units.plural(attention.numKvHeads(), "key head")
          + bias(attention.hasBias());
    } else if (layer instanceof Layer.GatedMlp mlp) {
      return mlp.hiddenSize() + " to " + mlp.intermediateSize() + " and back" + bias(mlp.hasBias());
    } else if (layer instanceof Layer.Mlp mlp) {
      return mlp.hiddenSize() + " to " + mlp.intermediateSize() + " and back" + bias(mlp.hasBias());
    } else if (layer instanceof Layer.Norm norm) {
      return Integer.toString(norm.hiddenSize());
    } else if (layer instanceof Layer.LmHead head) {
      return head.hiddenSize()
          + " to "
          + head.vocabSize()
          + (head.tied() ? ", the embedding's matrix" : "");
    }
    return shapes(layer);
  }

  private static String bias(boolean hasBias) {
    return hasBias ? ", with biases" : "";
  }

  JsonObject toJson() {
    JsonObject json = new JsonObject();
    json.addProperty("name", name());
    json.addProperty("kind", kind());
    json.addProperty("count", count());
    json.addProperty("parameters_each", parametersEach());
    json.addProperty("parameters", parameters());
    JsonArray parallelism = new JsonArray();
    layers
        .get(0)
        .parallelism()
        .forEach(way -> parallelism.add(way.name().toLowerCase(Locale.ROOT)));
    json.add("parallelism", parallelism);
    JsonArray weights = new JsonArray();
    for (Layer.Weight weight : layers.get(0).weights()) {
      JsonObject entry = new JsonObject();
      entry.addProperty("name", weight.name());
      JsonArray shape = new JsonArray();
      weight.shape().forEach(shape::add);
      entry.add("shape", shape);
      weights.add(entry);
    }
    json.add("weights", weights);
    return json;
  }
}
