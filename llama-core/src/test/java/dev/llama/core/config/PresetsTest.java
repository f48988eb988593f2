package dev.llama.core.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.InvalidInputException;
import dev.llama.ModelConfig;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** The presets are the models that their authors published. */
class PresetsTest {
  /** From the papers and model cards. */
  private static final Map<String, Long> PARAMETERS = new LinkedHashMap<>();

  static {
    PARAMETERS.put("llama-3.3-70b", 70_553_706_496L);
    PARAMETERS.put("llama-3.2-1b", 1_235_814_400L);
    PARAMETERS.put("llama-3.2-3b", 3_212_749_824L);
    PARAMETERS.put("llama-3.1-8b", 8_030_261_248L);
    PARAMETERS.put("llama-3.1-70b", 70_553_706_496L);
    PARAMETERS.put("llama-3.1-405b", 405_853_388_800L);
    PARAMETERS.put("llama-3-8b", 8_030_261_248L);
    PARAMETERS.put("llama-3-70b", 70_553_706_496L);
    PARAMETERS.put("llama-2-7b", 6_738_415_616L);
    PARAMETERS.put("llama-2-13b", 13_015_864_320L);
    PARAMETERS.put("llama-2-70b", 68_976_648_192L);
    PARAMETERS.put("llama-1-7b", 6_738_415_616L);
    PARAMETERS.put("llama-1-13b", 13_015_864_320L);
    PARAMETERS.put("llama-1-33b", 32_528_943_616L);
    PARAMETERS.put("llama-1-65b", 65_285_660_672L);
    PARAMETERS.put("code-llama-7b", 6_738_546_688L);
    PARAMETERS.put("code-llama-13b", 13_016_028_160L);
    PARAMETERS.put("code-llama-34b", 33_743_970_304L);
    PARAMETERS.put("code-llama-70b", 68_976_910_336L);
    PARAMETERS.put("tinyllama-1.1b", 1_100_048_384L);
    PARAMETERS.put("mistral-7b-v0.1", 7_241_732_096L);
    PARAMETERS.put("tiny", 9_637_248L);
  }

  /** Presets and the reference configurations that they must equal. */
  private static final Map<String, String> PUBLISHED =
      Map.of(
          "llama-3-8b", "Llama-3-8B",
          "llama-3.1-70b", "Llama-3.1-70B",
          "llama-3.2-1b", "Llama-3.2-1B",
          "llama-3.3-70b", "Llama-3.3-70B-Instruct",
          "llama-2-7b", "Llama-2-7b",
          "llama-2-70b", "Llama-2-70b",
          "llama-1-7b", "LLaMA-7b",
          "llama-1-33b", "LLaMA-33b",
          "code-llama-7b", "CodeLlama-7b",
          "code-llama-34b", "CodeLlama-34b");

  @Test
  void parametersAreThoseOfThePublishedModels() {
    Map<String, Long> counted = new LinkedHashMap<>();
    for (String name : ModelConfig.presets()) {
      counted.put(name, ModelConfig.preset(name).parameterCount());
    }
    assertEquals(PARAMETERS, counted);
  }

  @Test
  void noPresetHasFieldsThatTheLibraryDoesNotKnow() {
    for (String name : Presets.NAMES) {
      assertEquals(Map.of(), Presets.read(name).unknownFields(), name);
    }
  }

  @Test
  void mistralAttendsToItsWindow() {
    ModelConfig config = Presets.read("mistral-7b-v0.1");
    assertEquals(4096, config.slidingWindow().getAsInt());
    assertEquals(32_768, config.maxPositionEmbeddings());
  }

  @TestFactory
  List<DynamicTest> presetsEqualTheReferenceConfigurations() throws Exception {
    return ConfigFixtures.tests(PresetsTest::published);
  }

  private static List<DynamicTest> published() {
    Map<String, String> folders = new LinkedHashMap<>();
    PUBLISHED.forEach((preset, folder) -> folders.put(preset, "configs/published/" + folder));
    folders.put("tinyllama-1.1b", "configs/published/TinyLlama-1.1B");
    folders.put("tiny", "models/tiny-nucleotide");
    ConfigFixtures.path("configs/published");
    List<DynamicTest> tests = new ArrayList<>();
    folders.forEach(
        (preset, folder) ->
            tests.add(
                DynamicTest.dynamicTest(
                    preset,
                    () ->
                        assertEquals(
                            ConfigReader.read(ConfigFixtures.path(folder + "/config.json")),
                            Presets.read(preset)))));
    return tests;
  }

  @Test
  void unknownNameListsThePresetsNearestFirst() {
    String message = message("Llama3.1-405B");
    assertTrue(message.contains("\"Llama3.1-405B\", expected one of llama-3.1-405b, "), message);
    Presets.NAMES.forEach(name -> assertTrue(message.contains(name), name));
    assertTrue(message("mistral-7b").contains("expected one of mistral-7b-v0.1, "));
  }

  @Test
  void nothingButAListedNameIsLookedUp() {
    for (String name : new String[] {"", "../presets/tiny", "tiny.json", "TINY", null}) {
      assertTrue(message(name).startsWith("there is no preset"), name);
    }
    char[] endless = new char[1_000_000];
    assertTrue(message(new String(endless)).length() < 1000);
  }

  private static String message(String name) {
    return assertThrows(InvalidInputException.class, () -> ModelConfig.preset(name)).getMessage();
  }
}
