package dev.llama.core.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.llama.InvalidInputException;
import dev.llama.Layer;
import dev.llama.ModelConfig;
import dev.llama.RopeScaling;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Random;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** What is written is read back equal. */
class ConfigWriterTest {
  @TempDir Path folder;

  private ModelConfig roundTrip(ModelConfig config) {
    return ConfigReader.read(
        ConfigFixtures.write(folder, "config.json", ConfigWriter.toJson(config)));
  }

  @Test
  void randomConfigurationsSurvive() {
    Random random = new Random(3);
    for (int i = 0; i < 300; i++) {
      ModelConfig config = random(random);
      assertEquals(config, roundTrip(config));
    }
  }

  @TestFactory
  List<DynamicTest> fixturesSurvive() throws Exception {
    return ConfigFixtures.tests(this::fixtures);
  }

  private List<DynamicTest> fixtures() throws IOException {
    List<DynamicTest> tests = new ArrayList<>();
    for (String parent : List.of("models", "configs/published")) {
      for (Path model : ConfigFixtures.folders(parent)) {
        tests.add(
            DynamicTest.dynamicTest(
                model.getFileName().toString(),
                () -> {
                  ModelConfig config = ConfigReader.read(model.resolve("config.json"));
                  assertEquals(config, roundTrip(config));
                }));
      }
    }
    return tests;
  }

  @Test
  void whatJsonCannotExpressIsRefused() {
    ModelConfig config = random(new Random(1), Map.of("x", Double.NaN));
    assertThrows(InvalidInputException.class, () -> ConfigWriter.toJson(config));
  }

  private static ModelConfig random(Random random) {
    Map<String, Object> unknown = new HashMap<>();
    unknown.put("a", random.nextLong());
    unknown.put("b", Arrays.asList(null, 0.1, "\u00e9\n\"", Map.of("c", true)));
    unknown.put("n", null);
    return random(random, random.nextBoolean() ? Map.of() : unknown);
  }

  private static ModelConfig random(Random random, Map<String, Object> unknown) {
    boolean mistral = random.nextBoolean();
    boolean gated = random.nextBoolean();
    int kvHeads = 1 + random.nextInt(4);
    int headDim = 2 * (1 + random.nextInt(8));
    return new ModelConfig(
        List.of(mistral ? "MistralForCausalLM" : "LlamaForCausalLM"),
        mistral ? "mistral" : "llama",
        1 + random.nextInt(100_000),
        1 + random.nextInt(1000),
        1 + random.nextInt(1000),
        1 + random.nextInt(100),
        kvHeads * (1 + random.nextInt(4)),
        kvHeads,
        headDim,
        gated ? "silu" : "gelu",
        gated ? "gated" : "plain",
        Layer.NormKind.values()[random.nextInt(2)],
        1 + random.nextInt(Integer.MAX_VALUE),
        random.nextDouble(),
        random.nextDouble(),
        random.nextBoolean(),
        random.nextBoolean(),
        random.nextBoolean(),
        random.nextDouble(),
        1.5 + random.nextInt(1 << 30) * random.nextDouble(),
        scaling(random, headDim),
        mistral && random.nextBoolean()
            ? OptionalInt.of(1 + random.nextInt(10_000))
            : OptionalInt.empty(),
        id(random),
        random.nextBoolean() ? List.of() : List.of(random.nextInt(9), random.nextInt(9)),
        id(random),
        1 + random.nextInt(8),
        random.nextBoolean(),
        random.nextBoolean() ? Optional.empty() : Optional.of("bfloat16"),
        random.nextBoolean() ? Optional.empty() : Optional.of("4.45.0"),
        unknown);
  }

  private static OptionalInt id(Random random) {
    return random.nextBoolean() ? OptionalInt.empty() : OptionalInt.of(random.nextInt(1000));
  }

  private static RopeScaling scaling(Random random, int headDim) {
    double factor = 1 + 10 * random.nextDouble();
    int original = 1 + random.nextInt(10_000);
    switch (random.nextInt(6)) {
      case 0:
        return new RopeScaling.Linear(factor);
      case 1:
        return new RopeScaling.Dynamic(factor);
      case 2:
        return new RopeScaling.Yarn(
            factor, original, 10 + random.nextDouble(), 1 + random.nextDouble(), factor);
      case 3:
        return new RopeScaling.Llama3(factor, random.nextDouble() + 0.1, 4, original);
      case 4:
        List<Float> divisors = new ArrayList<>();
        for (int i = 0; i < headDim / 2; i++) {
          divisors.add(1 + 10 * random.nextFloat());
        }
        return new RopeScaling.Factors(divisors);
      default:
        return new RopeScaling.None();
    }
  }
}
