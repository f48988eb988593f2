package dev.llama.core.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.Layer;
import dev.llama.ModelConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/**
 * The facts of published models, and of the small models saved by transformers: parameters, tensors
 * and rotary frequencies as the reference implementation has them.
 */
class PublishedConfigTest {
  @TestFactory
  List<DynamicTest> published() throws Exception {
    return ConfigFixtures.tests(this::publishedModels);
  }

  private List<DynamicTest> publishedModels() {
    List<DynamicTest> tests = new ArrayList<>();
    ConfigFixtures.map(ConfigFixtures.json("configs/published/expected.json").get("models"))
        .forEach(
            (name, expected) ->
                tests.add(
                    DynamicTest.dynamicTest(
                        name, () -> checkPublished(name, ConfigFixtures.map(expected)))));
    assertTrue(tests.size() >= 10, () -> "only " + tests.size() + " models");
    return tests;
  }

  private static void checkPublished(String name, Map<String, Object> expected) {
    ModelConfig config =
        ConfigReader.read(ConfigFixtures.path("configs/published/" + name + "/config.json"));
    Map<String, Object> parameters = ConfigFixtures.map(expected.get("parameters"));
    Map<String, Object> counted = new LinkedHashMap<>();
    counted.put("total", config.parameterCount());
    for (String group : List.of("embedding", "attention", "mlp", "norms", "lm_head")) {
      counted.put(group, 0L);
    }
    long tensors = 0;
    for (Layer layer : config.layers()) {
      counted.merge(group(layer), layer.parameterCount(), (a, b) -> (Long) a + (Long) b);
      tensors += layer.weights().size();
    }
    assertEquals(parameters, counted);
    assertEquals(expected.get("tensors"), tensors);
    assertEquals(expected.get("head_dim"), (long) config.headDim());
    assertEquals(expected.get("kv_heads"), (long) config.numKeyValueHeads());
    Map<String, Object> rope = ConfigFixtures.map(expected.get("rope"));
    assertEquals(((Number) rope.get("rope_theta")).doubleValue(), config.ropeTheta());
    assertEquals(rope.get("rope_type"), config.ropeScaling().ropeType());
    RopeFrequenciesTest.assertClose(
        expected.get("rope_inv_freq"), RopeFrequencies.inverseFrequencies(config, 1));
    assertEquals(Map.of(), config.unknownFields());
  }

  private static String group(Layer layer) {
    if (layer instanceof Layer.Embedding) {
      return "embedding";
    } else if (layer instanceof Layer.SelfAttention) {
      return "attention";
    } else if (layer instanceof Layer.Norm) {
      return "norms";
    }
    return layer instanceof Layer.LmHead ? "lm_head" : "mlp";
  }

  @TestFactory
  List<DynamicTest> savedModels() throws Exception {
    return ConfigFixtures.tests(this::modelsWithResults);
  }

  private List<DynamicTest> modelsWithResults() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    for (Path folder : ConfigFixtures.folders("models")) {
      tests.add(DynamicTest.dynamicTest(folder.getFileName().toString(), () -> checkSaved(folder)));
    }
    assertTrue(tests.size() >= 15, () -> "only " + tests.size() + " models");
    return tests;
  }

  private static void checkSaved(Path folder) {
    ModelConfig config = ConfigReader.read(folder.resolve("config.json"));
    Map<String, Object> expected =
        ConfigFixtures.json("models/" + folder.getFileName() + "/expected.json");
    assertEquals(expected.get("parameters"), config.parameterCount());
    if (expected.containsKey("rope_inv_freq")) { // all but the one without a file of weights
      assertEquals(expected.get("rope_type"), config.ropeScaling().ropeType());
      assertEquals(
          ((Number) expected.get("rope_attention_scaling")).floatValue(),
          RopeFrequencies.magnitude(config));
      RopeFrequenciesTest.assertClose(
          expected.get("rope_inv_freq"), RopeFrequencies.inverseFrequencies(config, 8));
    }
    if (expected.containsKey("rope_inv_freq_at_long")) {
      Map<String, Object> sequence =
          ConfigFixtures.map(ConfigFixtures.list(expected.get("sequences")).get(1));
      int length = ConfigFixtures.list(sequence.get("ids")).size();
      RopeFrequenciesTest.assertClose(
          expected.get("rope_inv_freq_at_long"),
          RopeFrequencies.inverseFrequencies(config, length));
    }
    assertTrue(
        Files.exists(folder.resolve("generation_config.json"))
            == GenerationConfigReader.find(folder).isPresent());
  }
}
