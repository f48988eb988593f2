package dev.llama.core.config;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.ModelConfig;
import dev.llama.core.json.Json;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Formulas of rotary scaling, against values worked out by hand. */
class RopeFrequenciesTest {
  @TempDir Path folder;

  static void assertClose(Object expected, float[] actual) {
    List<Number> values = ConfigFixtures.list(expected);
    assertEquals(values.size(), actual.length);
    for (int i = 0; i < actual.length; i++) {
      double value = values.get(i).doubleValue();
      assertEquals(value, actual[i], 1e-6 * value, "frequency of pair " + i);
    }
  }

  private ModelConfig config(Map<String, Object> scaling, double theta) {
    Map<String, Object> json = new HashMap<>(ConfigFixtures.SMALL);
    json.put("rope_scaling", scaling);
    json.put("rope_theta", theta);
    return ConfigReader.read(ConfigFixtures.write(folder, "config.json", Json.write(json)));
  }

  private float[] frequencies(Map<String, Object> scaling, double theta, int length) {
    return RopeFrequencies.inverseFrequencies(config(scaling, theta), length);
  }

  @Test
  void factorsDivideTheBaseFrequencies() {
    float[] base = frequencies(null, 10_000, 1);
    List<Double> divisors = List.of(1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 1.5, 3.0);
    float[] scaled = frequencies(Map.of("rope_type", "factors", "divisors", divisors), 10_000, 1);
    for (int i = 0; i < base.length; i++) {
      assertEquals(base[i] / divisors.get(i).floatValue(), scaled[i]);
    }
  }

  @Test
  void factorOneChangesNothing() {
    float[] base = frequencies(null, 500_000, 1);
    assertArrayEquals(base, frequencies(Map.of("type", "linear", "factor", 1), 500_000, 1));
    assertArrayEquals(base, frequencies(Map.of("type", "dynamic", "factor", 1), 500_000, 4096));
    Map<String, Object> yarn =
        Map.of("type", "yarn", "factor", 1, "original_max_position_embeddings", 64);
    assertArrayEquals(base, frequencies(yarn, 500_000, 1), 1e-7f);
    assertEquals(1, RopeFrequencies.magnitude(config(yarn, 500_000)));
    assertArrayEquals(base, frequencies(llama3(1), 500_000, 1), 1e-7f);
  }

  @Test
  void dynamicMovesOnlyBeyondTheTrainedContext() {
    Map<String, Object> dynamic = Map.of("rope_type", "dynamic", "factor", 4.0);
    float[] base = frequencies(null, 10_000, 1);
    assertArrayEquals(base, frequencies(dynamic, 10_000, 1));
    assertArrayEquals(base, frequencies(dynamic, 10_000, 4096));
    float[] twice = frequencies(dynamic, 10_000, 8192);
    // theta * 5 ^ (16 / 14), and the last of eight pairs has the exponent -14 / 16
    assertEquals(base[7] / 5, twice[7], 1e-6 * base[7]);
    assertEquals(1, twice[0]);
  }

  @Test
  void yarnDefaultsAndExplicitParametersAgree() {
    float[] defaults =
        frequencies(
            Map.of("type", "yarn", "factor", 4, "original_max_position_embeddings", 1024),
            10_000,
            1);
    Map<String, Object> all = new HashMap<>();
    all.put("rope_type", "yarn");
    all.put("factor", null); // the ratio of the contexts, 4096 / 1024
    all.put("original_max_position_embeddings", 1024);
    all.put("beta_fast", 32);
    all.put("beta_slow", 1);
    all.put("attention_factor", 2.5);
    all.put("truncate", true);
    assertArrayEquals(defaults, frequencies(all, 10_000, 1));
    assertEquals(2.5f, RopeFrequencies.magnitude(config(all, 10_000)));
  }

  @Test
  void everyKindIsMonotoneAndFinite() {
    for (Map<String, Object> scaling :
        List.<Map<String, Object>>of(
            Map.of("type", "linear", "factor", 1e6),
            Map.of("type", "dynamic", "factor", 1e6),
            Map.of("type", "yarn", "factor", 1e6, "original_max_position_embeddings", 1),
            Map.of("type", "yarn", "factor", 2, "original_max_position_embeddings", 1 << 30),
            llama3(1e6))) {
      float[] frequencies = frequencies(scaling, 1e9, Integer.MAX_VALUE);
      for (int i = 0; i < frequencies.length; i++) {
        assertTrue(
            frequencies[i] >= 0 && frequencies[i] <= (i == 0 ? 1 : frequencies[i - 1]),
            () -> scaling.toString());
      }
    }
  }

  private static Map<String, Object> llama3(double factor) {
    return Map.of(
        "rope_type", "llama3",
        "factor", factor,
        "low_freq_factor", 1,
        "high_freq_factor", 4,
        "original_max_position_embeddings", 1024);
  }
}
