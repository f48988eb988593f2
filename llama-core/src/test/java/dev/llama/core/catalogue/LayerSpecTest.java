package dev.llama.core.catalogue;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.Layer;
import dev.llama.ModelConfig;
import dev.llama.core.config.ConfigFixtures;
import dev.llama.core.config.ConfigReader;
import dev.llama.core.json.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** Layer-specs are read, refused with all their faults, written, and turned to and from configs. */
class LayerSpecTest {
  private static final String SPECS = "configs/layer-specs/";

  @TempDir Path folder;

  // What is accepted and what is refused

  @TestFactory
  List<DynamicTest> referenceFiles() throws Exception {
    return ConfigFixtures.tests(LayerSpecTest::indexed);
  }

  private static List<DynamicTest> indexed() {
    List<DynamicTest> tests = new ArrayList<>();
    for (Object entry :
        ConfigFixtures.list(ConfigFixtures.json(SPECS + "index.json").get("files"))) {
      Map<String, Object> file = ConfigFixtures.map(entry);
      String name = (String) file.get("file");
      Path path = ConfigFixtures.path(SPECS + name);
      boolean accept = file.get("expect").equals("accept");
      tests.add(DynamicTest.dynamicTest(name, () -> checkReference(path, accept, file)));
    }
    assertTrue(tests.size() >= 19, () -> "only " + tests.size() + " files");
    return tests;
  }

  private static void checkReference(Path path, boolean accept, Map<String, Object> file) {
    if (!accept) {
      assertThrows(FormatException.class, () -> LayerSpec.read(path));
      return;
    }
    LayerSpec spec = LayerSpec.read(path);
    assertEquals(spec.totalParams(), spec.parameterCount());
    Object sum = file.get("sum_of_listed_parameter_counts");
    if (sum != null) {
      assertEquals(sum, spec.totalParams());
    }
    assertEquals(
        withDefaults(Json.readObject(path, 1 << 20)),
        parse(spec.toJson()),
        "what is read is written back");
  }

  private static Map<String, Object> withDefaults(Map<String, Object> json) {
    Map<String, Object> all = new LinkedHashMap<>(json);
    all.putIfAbsent("validated", false);
    return all;
  }

  private static Map<String, Object> parse(String json) {
    return Json.parseObject(Path.of("written.json"), json.getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void smallSpecHasNoFault() {
    LayerSpec spec = LayerSpec.read(Specs.write(folder, Specs.small()));
    assertEquals(105_280, spec.parameterCount());
    assertEquals(
        new Layer.GroupedQueryAttention("attention", 64, 4, 2, 16, false),
        spec.layerTypes().get(0).layer());
    assertEquals("EmbeddingLayer", spec.layerTypes().get(4).className());
  }

  @TestFactory
  Stream<DynamicTest> eachFaultIsToldWithItsPlace() {
    Map<String, Consumer<Map<String, Object>>> changes = new LinkedHashMap<>();
    changes.put("hidden_size is missing, expected an integer", j -> j.remove("hidden_size"));
    changes.put("num_layers is 2.0, expected", j -> j.put("num_layers", 2.0));
    changes.put("vocab_size is null", j -> j.put("vocab_size", null));
    changes.put("name is the text \" \"", j -> j.put("name", " "));
    changes.put("total_params is 105279, expected 105280", j -> j.put("total_params", 105_279L));
    changes.put("total_params is -1", j -> j.put("total_params", -1L));
    changes.put("validated is 1, expected true or false", j -> j.put("validated", 1L));
    changes.put("layer_types is an array of 0", j -> j.put("layer_types", List.of()));
    changes.put("layer_types[0] is 7", j -> j.put("layer_types", List.of(7L)));
    changes.put(
        "layer_types[1].name is the text \"attention\", expected another name than that of"
            + " layer_types[0]",
        j -> Specs.entry(j, 1).put("name", "attention"));
    changes.put("layer_types[2].class is", j -> Specs.entry(j, 2).put("class", "Norm"));
    changes.put("layer_types[3].specs is missing", j -> Specs.entry(j, 3).remove("specs"));
    changes.put("layer_types[4].count is 0", j -> Specs.entry(j, 4).put("count", 0L));
    changes.put("layer_types has 3 attention layers", j -> Specs.entry(j, 0).put("count", 3L));
    changes.put(
        "layer_types[0].specs.num_kv_heads is 3", j -> Specs.specs(j, 0).put("num_kv_heads", 3L));
    changes.put(
        "layer_types[0].specs.layer_idx is 2, expected an integer from 0 to 1",
        j -> Specs.specs(j, 0).put("layer_idx", 2L));
    changes.put(
        "layer_types[0].specs.head_dim is 16777216",
        j -> Specs.specs(j, 0).put("head_dim", 1L << 24));
    changes.put(
        "layer_types[1].specs.intermediate_size is 9999999999",
        j -> Specs.specs(j, 1).put("intermediate_size", 9_999_999_999L));
    changes.put(
        "layer_types[1].specs.parameter_count is 5, expected 33792 by the sizes",
        j -> Specs.specs(j, 1).put("parameter_count", 5L));
    changes.put("layer_types[1].specs.has_bias is 0", j -> Specs.specs(j, 1).put("has_bias", 0L));
    changes.put(
        "layer_types[2].specs.hidden_size is 65, expected 64, the hidden_size of the model",
        j -> Specs.specs(j, 2).put("hidden_size", 65L));
    changes.put(
        "layer_types[0].specs.num_kv_heads is 2, expected none, or num_heads 4",
        j -> Specs.entry(j, 0).put("class", "AttentionLayer"));
    for (String id : List.of("../x", "/etc/passwd", "a/b", "a\\b", "%2e%2e\u0000", "", ".hidden")) {
      changes.put("model_id is the text \"" + id + "\"", j -> j.put("model_id", id));
    }
    return changes.entrySet().stream()
        .map(
            change ->
                DynamicTest.dynamicTest(
                    change.getKey(), () -> checkFault(change.getKey(), change.getValue())));
  }

  private void checkFault(String expected, Consumer<Map<String, Object>> change) {
    Map<String, Object> json = Specs.small();
    change.accept(json);
    Path file = Specs.write(folder, Specs.ID + ".json", Json.write(json));
    String message = assertThrows(FormatException.class, () -> LayerSpec.read(file)).getMessage();
    assertTrue(message.contains(expected), message);
  }

  @Test
  void allFaultsAreToldAtOnce() {
    Map<String, Object> json = Specs.small();
    json.put("model_id", "other");
    json.remove("hf_model_id");
    Specs.specs(json, 0).remove("num_heads");
    Specs.specs(json, 2).remove("has_bias");
    Specs.specs(json, 3).put("vocab_size", 101L);
    Path file = Specs.write(folder, "x.json", Json.write(json));
    String message = assertThrows(FormatException.class, () -> LayerSpec.read(file)).getMessage();
    assertTrue(message.startsWith(file + ": 6 faults: model_id is"), message);
    for (String place :
        List.of(
            "hf_model_id is missing",
            "layer_types[0].specs.num_heads is missing",
            "layer_types[2].specs.has_bias is missing",
            "layer_types[3].specs.vocab_size is 101",
            "layer_types[3].specs.parameter_count is 6400, expected 6464")) {
      assertTrue(message.contains(place), message);
    }
  }

  @Test
  void brokenJsonNamesFileAndPlace() {
    String good = Json.write(Specs.small());
    for (String text : List.of("", "{", "[]", good + "}", good + "// done", "\ufeff" + good)) {
      Path file = Specs.write(folder, Specs.ID + ".json", text);
      FormatException e = assertThrows(FormatException.class, () -> LayerSpec.read(file), text);
      assertEquals(file, e.file());
    }
    Path large = Specs.write(folder, "large.json", " ".repeat(LayerSpec.MAX_BYTES + 1));
    assertThrows(FormatException.class, () -> LayerSpec.read(large));
    assertThrows(FormatException.class, () -> LayerSpec.read(folder));
    assertThrows(FormatException.class, () -> LayerSpec.read(folder.resolve("none.json")));
  }

  @Test
  void countlessFaultsAreCutShort() {
    Map<String, Object> json = Specs.small();
    List<Object> types = new ArrayList<>();
    for (int i = 0; i < 10_000; i++) {
      types.add(i);
    }
    // What follows the last fault that is told is still looked at with care: this overflows.
    json.put("hidden_size", 1L << 24);
    Map<String, Object> sizes =
        Map.of("hidden_size", 1L << 24, "num_heads", 1L << 24, "head_dim", 1L << 24);
    types.set(9_999, Specs.type("huge", "AttentionLayer", 2, sizes));
    json.put("layer_types", types);
    Path file = Specs.write(folder, json);
    String message = assertThrows(FormatException.class, () -> LayerSpec.read(file)).getMessage();
    assertTrue(message.endsWith("and 9950 more"), message);
  }

  // Writing

  @Test
  void unknownFieldsSurvive() {
    Map<String, Object> json = Specs.small();
    json.put("origin", Map.of("by", "hand"));
    Specs.entry(json, 1).put("colour", "blue");
    Specs.specs(json, 2).put("eps", 1e-5);
    LayerSpec spec = LayerSpec.read(Specs.write(folder, json));
    assertEquals(Map.of("eps", 1e-5), spec.layerTypes().get(2).unknownSpecs());
    assertEquals(json, parse(spec.toJson()));
    Path file = folder.resolve(Specs.ID + ".json");
    spec.write(file);
    assertEquals(spec, LayerSpec.read(file));
  }

  @Test
  void writingReplacesTheFileAndLeavesNothingBeside() throws IOException {
    LayerSpec spec = LayerSpec.read(Specs.write(folder, Specs.small()));
    Path file = Specs.write(folder, Specs.ID + ".json", "old");
    spec.write(file);
    assertEquals(spec, LayerSpec.read(file));
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(List.of(file), files.collect(Collectors.toList()));
    }
  }

  @Test
  void fileOfAnotherNameIsRefused() throws IOException {
    LayerSpec spec = LayerSpec.read(Specs.write(folder, Specs.small()));
    Path file = folder.resolve("other.json");
    assertThrows(InvalidInputException.class, () -> spec.write(file));
    assertFalse(Files.exists(file));
  }

  @Test
  void recordsAreCheckedLikeFiles() {
    LayerSpec spec = LayerSpec.read(Specs.write(folder, Specs.small()));
    InvalidInputException e =
        assertThrows(
            InvalidInputException.class,
            () ->
                new LayerSpec(
                    "a/b",
                    "a/b",
                    "A",
                    65,
                    2,
                    100,
                    1,
                    "1",
                    spec.layerTypes(),
                    false,
                    Optional.empty(),
                    Map.of()));
    assertTrue(e.getMessage().contains("layer_types[4].specs.hidden_size is 64"), e.getMessage());
    assertThrows(
        InvalidInputException.class, () -> new LayerType(new Layer.LmHead("o", 1, 1, true), 1));
    int most = Integer.MAX_VALUE;
    for (Layer layer :
        List.of(
            new Layer.GatedMlp("m", most, most, false),
            new Layer.Embedding("e", 0, 8),
            new Layer.Attention("a", 64, 1 << 24, 1 << 24, false))) {
      assertThrows(InvalidInputException.class, () -> new LayerType(layer, 40_000));
    }
  }

  @Test
  void parametersAreFormattedWithOneDecimal() {
    assertEquals("999", LayerSpec.formatted(999));
    assertEquals("19.4M", LayerSpec.formatted(19_398_656));
    assertEquals("1.0B", LayerSpec.formatted(999_999_999));
    assertEquals("405.9B", LayerSpec.formatted(405_853_388_800L));
  }

  // To and from architectures

  @Test
  void specOfTinyLlamaIsTheReferenceFile() {
    Path file = ConfigFixtures.path(SPECS + "TinyLlama_TinyLlama-1.1B-Chat-v1.0.json");
    LayerSpec expected = LayerSpec.read(file);
    LayerSpec derived =
        LayerSpec.of(ModelConfig.preset("tinyllama-1.1b"), expected.hfModelId(), expected.name());
    Map<String, Object> json = new LinkedHashMap<>(parse(derived.toJson()));
    json.put("validation_notes", expected.validationNotes().get());
    assertEquals(parse(expected.toJson()), json);
  }

  @TestFactory
  Stream<DynamicTest> presetsSurvive() {
    return ModelConfig.presets().stream()
        .map(name -> DynamicTest.dynamicTest(name, () -> checkRoundTrip(ModelConfig.preset(name))));
  }

  @TestFactory
  List<DynamicTest> referenceModelsSurvive() throws Exception {
    return ConfigFixtures.tests(
        () -> {
          List<DynamicTest> tests = new ArrayList<>();
          for (String parent : List.of("models", "configs/published")) {
            for (Path model : ConfigFixtures.folders(parent)) {
              ModelConfig config = ConfigReader.read(model.resolve("config.json"));
              tests.add(
                  DynamicTest.dynamicTest(
                      model.getFileName().toString(), () -> checkRoundTrip(config)));
            }
          }
          return tests;
        });
  }

  @Test
  void otherArchitecturesSurvive() {
    for (String fields :
        List.of(
            "\"mlp_type\": \"plain\"",
            "\"mlp_type\": \"plain\", \"mlp_bias\": true, \"norm_type\": \"layer_norm\"",
            "\"norm_type\": \"layer_norm\", \"attention_bias\": true, \"head_dim\": 6",
            "\"tie_word_embeddings\": true, \"num_key_value_heads\": 1")) {
      Path file =
          Specs.write(
              folder,
              "config.json",
              "{\"model_type\": \"llama\", \"vocab_size\": 9, \"hidden_size\": 32,"
                  + " \"intermediate_size\": 48, \"num_hidden_layers\": 3,"
                  + " \"num_attention_heads\": 4, "
                  + fields
                  + "}");
      ModelConfig config = ConfigReader.read(file);
      checkRoundTrip(config);
      assertEquals(config.layers(), LayerSpec.of(config, "a/b", "A").toConfig().layers());
    }
  }

  private void checkRoundTrip(ModelConfig config) {
    LayerSpec spec = LayerSpec.of(config, "acme/model-1", "Model");
    Path file = folder.resolve("acme_model-1.json");
    spec.write(file);
    LayerSpec read = LayerSpec.read(file);
    assertEquals(spec, read);
    assertEquals(config.parameterCount(), read.totalParams());
    assertEquals(config.parameterCount(), read.parameterCount());
    assertEquals(withoutEps(config.layers()), withoutEps(read.toConfig().layers()));
  }

  /** The layers say all sizes, biases and kinds; of those a layer-spec has all but eps. */
  private static List<Layer> withoutEps(List<Layer> layers) {
    return layers.stream()
        .map(
            layer ->
                layer instanceof Layer.Norm norm
                    ? new Layer.Norm(norm.name(), norm.hiddenSize(), norm.kind(), 0)
                    : layer)
        .collect(Collectors.toList());
  }

  @Test
  void whatASpecDoesNotSayHasTheDefaultsOfConfigJson() {
    ModelConfig config = LayerSpec.read(Specs.write(folder, Specs.small())).toConfig();
    assertEquals(10_000, config.ropeTheta());
    assertEquals("default", config.ropeScaling().ropeType());
    assertEquals(1e-6, config.rmsNormEps());
    assertEquals(2048, config.maxPositionEmbeddings());
    assertFalse(config.slidingWindow().isPresent());
    assertEquals(Map.of(), config.unknownFields());
  }

  @Test
  void layersThatMakeNoDecoderAreNamed() {
    Map<String, Object> json = Specs.small();
    ConfigFixtures.<Object>list(json.get("layer_types")).remove(1);
    Specs.entry(json, 2).put("count", 2L);
    Specs.entry(json, 0).put("count", 1L);
    Specs.specs(json, 0).remove("parameter_count");
    ConfigFixtures.<Object>list(json.get("layer_types"))
        .add(
            Specs.type(
                "wide",
                "AttentionLayer",
                1,
                Map.of("hidden_size", 64L, "num_heads", 4L, "head_dim", 32L)));
    LayerSpec spec = LayerSpec.read(Specs.write(folder, json));
    String message = assertThrows(InvalidInputException.class, spec::toConfig).getMessage();
    assertTrue(message.contains("wide differs from other attention layers"), message);
    assertTrue(message.contains("no MLP layer"), message);
    assertTrue(message.contains("3 embedding layers, expected 1"), message);
  }

  @Test
  void headsThatCannotBeRotatedMakeNoDecoder() {
    Map<String, Object> json = Specs.small();
    Specs.specs(json, 0).put("head_dim", 15L);
    Specs.specs(json, 0).remove("parameter_count");
    LayerSpec spec = LayerSpec.read(Specs.write(folder, json));
    String message = assertThrows(InvalidInputException.class, spec::toConfig).getMessage();
    assertTrue(message.contains("head_dim must be even"), message);
  }
}
