package dev.llama.core.catalogue;

import dev.llama.FormatException;
import dev.llama.core.json.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * Reads layer-specs. What {@link SpecCheck} has found no fault with is taken without a question.
 */
final class SpecReader {
  private static final List<String> MODEL_FIELDS =
      List.of(
          "model_id",
          "hf_model_id",
          "name",
          "hidden_size",
          "num_layers",
          "vocab_size",
          "total_params",
          "total_params_formatted",
          "layer_types",
          "validated",
          "validation_notes");
  private static final List<String> ENTRY_FIELDS = List.of("name", "class", "count", "specs");

  private SpecReader() {}

  static LayerSpec read(Path file) {
    Map<String, Object> json = Json.readObject(file, LayerSpec.MAX_BYTES);
    List<String> faults = new ArrayList<>(SpecCheck.faults(json));
    String fileName = String.valueOf(file.getFileName());
    if (json.get("model_id") instanceof String id && !fileName.equals(id + LayerSpec.EXTENSION)) {
      faults.add(
          0,
          "model_id is "
              + Json.describe(id)
              + ", expected the name of the file without "
              + LayerSpec.EXTENSION);
    }
    if (!faults.isEmpty()) {
      String number = faults.size() == 1 ? "" : faults.size() + " faults: ";
      throw new FormatException(file, number + String.join("; ", faults));
    }
    return layerSpec(json);
  }

  private static LayerSpec layerSpec(Map<String, Object> json) {
    List<LayerType> types = new ArrayList<>();
    for (Object type : (List<?>) json.get("layer_types")) {
      types.add(layerType(map(type)));
    }
    long total = (Long) json.get("total_params");
    Object formatted = json.get("total_params_formatted");
    return new LayerSpec(
        (String) json.get("model_id"),
        (String) json.get("hf_model_id"),
        (String) json.get("name"),
        integer(json, "hidden_size"),
        integer(json, "num_layers"),
        integer(json, "vocab_size"),
        total,
        formatted == null ? LayerSpec.formatted(total) : (String) formatted,
        types,
        Boolean.TRUE.equals(json.get("validated")),
        Optional.ofNullable((String) json.get("validation_notes")),
        rest(json, MODEL_FIELDS));
  }

  private static LayerType layerType(Map<String, Object> type) {
    LayerClass layerClass = LayerClass.named((String) type.get("class"));
    Map<String, Object> specs = map(type.get("specs"));
    Map<String, Integer> sizes = new HashMap<>();
    layerClass.sizes().forEach(size -> sizes.put(size, integer(specs, size)));
    boolean bias = layerClass.mayHaveBias() && Boolean.TRUE.equals(specs.get("has_bias"));
    List<String> known = new ArrayList<>(layerClass.sizes());
    known.addAll(Arrays.asList("layer_idx", "parameter_count"));
    if (layerClass.mayHaveBias()) {
      known.add("has_bias");
    }
    Long listed = (Long) specs.get("parameter_count");
    return new LayerType(
        layerClass.layer((String) type.get("name"), sizes, bias),
        integer(type, "count"),
        specs.get("layer_idx") == null
            ? OptionalInt.empty()
            : OptionalInt.of(integer(specs, "layer_idx")),
        listed == null ? OptionalLong.empty() : OptionalLong.of(listed),
        rest(specs, known),
        rest(type, ENTRY_FIELDS));
  }

  private static int integer(Map<String, Object> json, String name) {
    return ((Long) json.get(name)).intValue();
  }

  private static Map<String, Object> rest(Map<String, Object> json, List<String> known) {
    Map<String, Object> rest = new LinkedHashMap<>(json);
    rest.keySet().removeAll(known);
    return rest;
  }

  @SuppressWarnings("unchecked") // the parser's maps have no other keys
  private static Map<String, Object> map(Object value) {
    return (Map<String, Object>) value;
  }
}
