package dev.llama.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import dev.llama.ModelConfig;
import org.junit.jupiter.api.Test;

/** Published models by name: listed, inspected and measured without a file. */
class PresetsCommandTest {
  @Test
  void everyPresetIsALine() {
    Cli run = Cli.real("presets");
    assertEquals(0, run.exitCode(), run.err());
    assertEquals(ModelConfig.presets().size() + 1, run.out().lines().count());
    assertTrue(
        run.out()
            .lines()
            .anyMatch(
                line ->
                    line.matches(
                        "  llama-3\\.1-405b +405,853,388,800 +126 +16384 +128/8 +131072"
                            + " +128256")),
        run.out());
  }

  @Test
  void jsonHasTheSameFacts() {
    for (var element : Cli.real("presets", "--format", "json").json().getAsJsonArray("presets")) {
      JsonObject preset = element.getAsJsonObject();
      ModelConfig config = ModelConfig.preset(preset.get("name").getAsString());
      assertEquals(config.parameterCount(), preset.get("parameters").getAsLong());
      assertEquals(config.headDim(), preset.get("head_dim").getAsInt());
    }
  }

  @Test
  void inspectKnowsPresets() {
    Cli run = Cli.real("inspect", "llama-3.1-405b", "--format", "json");
    assertEquals(405_853_388_800L, run.json().get("parameters").getAsLong());
  }

  @Test
  void misspelledPresetIsAnsweredWithTheNearest() {
    Cli run = Cli.real("inspect", "llama3.1-405b");
    assertEquals(1, run.exitCode());
    assertTrue(
        run.err()
            .startsWith(
                "llama: llama3.1-405b: there is no such file or folder, and there is no preset"
                    + " \"llama3.1-405b\", expected one of llama-3.1-405b, "),
        run.err());
    assertEquals(
        "llama: no/such/config.json: there is no such file or folder; expected a folder with"
            + " config.json\n",
        Cli.real("inspect", "no/such/config.json").err());
  }

  /** Tests run in the module's folder, which has a folder src; the fakes have a preset src. */
  @Test
  void fileOrFolderOfThatNameComesFirst() {
    FakeLoader.lastPreset = null;
    assertEquals(0, Cli.fake("inspect", "small-1b").exitCode());
    assertEquals("small-1b", FakeLoader.lastPreset);
    assertEquals(0, Cli.fake("inspect", "src").exitCode());
    assertEquals("small-1b", FakeLoader.lastPreset);
  }

  @Test
  void benchMeasuresAPresetWithRandomWeights() {
    Cli run =
        Cli.fake("bench", "-m", "small-1b", "-p", "4", "-n", "0", "-r", "1", "--format", "json");
    assertEquals(0, run.exitCode(), run.err());
    assertTrue(FakeLoader.lastWasCreated);
    assertTrue(run.json().get("random_weights").getAsBoolean());
  }
}
