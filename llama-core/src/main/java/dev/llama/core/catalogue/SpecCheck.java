package dev.llama.core.catalogue;

import dev.llama.Layer;
import dev.llama.core.json.Json;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.regex.Pattern;

/**
 * Finds everything that is wrong with a layer-spec, as parsed. Each check runs when the values that
 * it compares are there and of their types, so that one fault neither hides nor causes another. For
 * one thread and one layer-spec.
 */
final class SpecCheck {
  /** Largest size of a dimension that is accepted, as in config.json. */
  static final int MAX_SIZE = 1 << 24;

  /** Largest number of blocks that is accepted, as in config.json. */
  static final int MAX_LAYERS = 10_000;

  /** Largest count of one type of layer: norms come twice in a block, and once more. */
  static final int MAX_COUNT = 4 * MAX_LAYERS;

  /** Faults that are told; a file with more is not to be mended one by one. */
  private static final int MAX_FAULTS = 50;

  /** What a file can be named on any system, without leaving its folder. */
  private static final Pattern MODEL_ID = Pattern.compile("[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}");

  private final List<String> faults = new ArrayList<>();
  private int untold;

  private Integer hiddenSize;
  private Integer numLayers;
  private Integer vocabSize;
  private Long totalParams;

  /** The first entry of each name, by its index. */
  private final Map<String, Integer> names = new HashMap<>();

  /** Whether every entry has a class and a count. */
  private boolean allCounted = true;

  private long attentions;
  private long mlps;

  /** Whether every entry lists its number of parameters. */
  private boolean allListed = true;

  /** Sum over the parameters that are listed or, where they are not, follow from the sizes. */
  private BigInteger total = BigInteger.ZERO;

  private SpecCheck() {}

  /**
   * Returns what is wrong.
   *
   * @param json a layer-spec as {@link Json} parses it
   * @return each with its place, the value found and the value expected; empty if there is nothing
   */
  static List<String> faults(Map<String, Object> json) {
    SpecCheck check = new SpecCheck();
    check.model(json);
    if (check.untold > 0) {
      check.faults.add("and " + check.untold + " more");
    }
    return check.faults;
  }

  private void model(Map<String, Object> json) {
    String modelId = text(json, "", "model_id");
    if (modelId != null && !MODEL_ID.matcher(modelId).matches()) {
      fault(
          "model_id",
          modelId,
          "a file name of up to 200 letters, digits and ._+-: hf_model_id with / as _");
    }
    text(json, "", "hf_model_id");
    text(json, "", "name");
    hiddenSize = integer(json, "", "hidden_size", 1, MAX_SIZE);
    numLayers = integer(json, "", "num_layers", 1, MAX_LAYERS);
    vocabSize = integer(json, "", "vocab_size", 1, MAX_SIZE);
    if (json.get("total_params") instanceof Long number && number > 0) {
      totalParams = number;
    } else {
      fault(json, "", "total_params", "a positive integer");
    }
    optional(json, "total_params_formatted", String.class::isInstance, "a text");
    optional(json, "validated", Boolean.class::isInstance, "true or false");
    optional(json, "validation_notes", String.class::isInstance, "a text");
    if (!(json.get("layer_types") instanceof List<?> types) || types.isEmpty()) {
      fault(json, "", "layer_types", "an array of layer types");
      return;
    }
    for (int i = 0; i < types.size(); i++) {
      layerType("layer_types[" + i + "]", i, types.get(i));
    }
    totals();
  }

  private void layerType(String at, int index, Object value) {
    Map<String, Object> type = object(value);
    if (type == null) {
      fault(at, value, "an object");
      allListed = false;
      allCounted = false;
      return;
    }
    String name = text(type, at + ".", "name");
    if (name != null) {
      Integer first = names.putIfAbsent(name, index);
      if (first != null) {
        fault(at + ".name", name, "another name than that of layer_types[" + first + "]");
      }
    }
    LayerClass layerClass =
        type.get("class") instanceof String text ? LayerClass.named(text) : null;
    if (layerClass == null) {
      fault(type, at + ".", "class", "one of " + LayerClass.jsonNames());
    }
    Integer count = integer(type, at + ".", "count", 1, MAX_COUNT);
    Map<String, Object> specs = object(type.get("specs"));
    if (specs == null) {
      fault(type, at + ".", "specs", "an object");
    }
    Long parameters = specs == null ? null : specs(at + ".specs.", layerClass, specs);
    if (count != null && parameters != null) {
      total = total.add(BigInteger.valueOf(parameters).multiply(BigInteger.valueOf(count)));
    } else {
      allListed = false;
    }
    if (count != null && layerClass != null) {
      attentions += layerClass.isAttention() ? count : 0;
      mlps += layerClass.isMlp() ? count : 0;
    } else {
      allCounted = false;
    }
  }

  /** Checks the specs of a layer; returns its parameters, listed or by the sizes, or null. */
  private Long specs(String at, LayerClass layerClass, Map<String, Object> specs) {
    if (specs.get("layer_idx") != null) {
      integer(specs, at, "layer_idx", 0, (numLayers == null ? MAX_LAYERS : numLayers) - 1);
    }
    Object listed = specs.get("parameter_count");
    boolean listedIsCount = listed instanceof Long number && number > 0;
    if (listed != null && !listedIsCount) {
      fault(specs, at, "parameter_count", "a positive integer");
    }
    Long parameters = layerClass == null ? null : parameters(at, layerClass, specs);
    allListed &= listedIsCount;
    if (!listedIsCount) {
      return parameters;
    }
    if (parameters != null && !parameters.equals(listed)) {
      fault(at + "parameter_count", listed, parameters + " by the sizes");
    }
    return (Long) listed;
  }

  /** Checks the sizes of a layer; returns the parameters that they make, or null. */
  private Long parameters(String at, LayerClass layerClass, Map<String, Object> specs) {
    Map<String, Integer> sizes = new HashMap<>();
    for (String name : layerClass.sizes()) {
      Integer size = integer(specs, at, name, 1, MAX_SIZE);
      if (size != null) {
        sizes.put(name, size);
      }
    }
    sameAsModel(at, "hidden_size", sizes, hiddenSize);
    sameAsModel(at, "vocab_size", sizes, vocabSize);
    boolean headsAgree = heads(at, layerClass, sizes, specs.get("num_kv_heads"));
    Object bias = layerClass.mayHaveBias() ? specs.get("has_bias") : null;
    boolean biasIsThere = bias instanceof Boolean;
    if (!biasIsThere && (bias != null || layerClass.mustSayBias())) {
      fault(specs, at, "has_bias", "true or false");
      return null;
    }
    if (!headsAgree || sizes.size() < layerClass.sizes().size()) {
      return null;
    }
    Layer layer = layerClass.layer("", sizes, Boolean.TRUE.equals(bias));
    return layer.parameterCount();
  }

  private void sameAsModel(String at, String name, Map<String, Integer> sizes, Integer ofTheModel) {
    Integer size = sizes.get(name);
    if (size != null && ofTheModel != null && !size.equals(ofTheModel)) {
      fault(at + name, size, ofTheModel + ", the " + name + " of the model");
    }
  }

  private boolean heads(
      String at, LayerClass layerClass, Map<String, Integer> sizes, Object listedKvHeads) {
    Integer heads = sizes.get("num_heads");
    if (heads == null) {
      return true;
    }
    boolean agree = true;
    Integer kvHeads = sizes.get("num_kv_heads");
    if (layerClass == LayerClass.ATTENTION
        && listedKvHeads != null
        && !listedKvHeads.equals(heads.longValue())) {
      agree = false;
      fault(
          at + "num_kv_heads",
          listedKvHeads,
          "none, or num_heads "
              + heads
              + "; where they differ the class is "
              + LayerClass.GROUPED_QUERY_ATTENTION.jsonName());
    }
    if (kvHeads != null && heads % kvHeads != 0) {
      agree = false;
      fault(at + "num_kv_heads", kvHeads, "a divisor of num_heads " + heads);
    }
    Integer headDim = sizes.get("head_dim");
    if (headDim != null && (long) heads * headDim > MAX_SIZE) {
      agree = false;
      fault(at + "head_dim", headDim, "at most " + MAX_SIZE + " with num_heads " + heads);
    }
    return agree;
  }

  private void totals() {
    if (allCounted) {
      everyBlock("attention", attentions);
      everyBlock("MLP", mlps);
    }
    if (total.bitLength() >= Long.SIZE) {
      add("layer_types has more parameters than 64 bits can count");
    } else if (allListed && totalParams != null && total.longValue() != totalParams) {
      fault("total_params", totalParams, total + ", the sum of count times parameter_count");
    }
  }

  /** A spec may leave out a kind of layer; where it has the kind, every block has one. */
  private void everyBlock(String kind, long count) {
    if (count > 0 && numLayers != null && count != numLayers) {
      add("layer_types has " + count + " " + kind + " layers, expected num_layers " + numLayers);
    }
  }

  @SuppressWarnings("unchecked") // the parser's maps have no other keys
  private static Map<String, Object> object(Object value) {
    return value instanceof Map<?, ?> ? (Map<String, Object>) value : null;
  }

  private String text(Map<String, Object> json, String at, String name) {
    if (json.get(name) instanceof String text && !text.trim().isEmpty()) {
      return text;
    }
    fault(json, at, name, "a text");
    return null;
  }

  private Integer integer(Map<String, Object> json, String at, String name, int least, int most) {
    if (json.get(name) instanceof Long number && number >= least && number <= most) {
      return number.intValue();
    }
    fault(json, at, name, "an integer from " + least + " to " + most);
    return null;
  }

  private void optional(
      Map<String, Object> json, String name, Predicate<Object> fits, String expected) {
    Object value = json.get(name);
    if (value != null && !fits.test(value)) {
      fault(json, "", name, expected);
    }
  }

  private void fault(Map<String, Object> json, String at, String name, String expected) {
    if (json.containsKey(name)) {
      fault(at + name, json.get(name), expected);
    } else {
      add(at + name + " is missing, expected " + expected);
    }
  }

  private void fault(String place, Object found, String expected) {
    add(place + " is " + Json.describe(found) + ", expected " + expected);
  }

  private void add(String fault) {
    if (faults.size() < MAX_FAULTS) {
      faults.add(fault);
    } else {
      untold++;
    }
  }
}
