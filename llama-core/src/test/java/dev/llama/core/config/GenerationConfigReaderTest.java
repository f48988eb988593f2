package dev.llama.core.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.FormatException;
import dev.llama.GenerationOptions;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** generation_config.json: what it says counts, what it leaves open does not change. */
class GenerationConfigReaderTest {
  @TempDir Path folder;

  private GenerationConfig read(String json) {
    return GenerationConfigReader.read(
        ConfigFixtures.write(folder, "generation_config.json", json));
  }

  private static final GenerationOptions DEFAULTS = GenerationOptions.defaults();

  @Test
  void recommendationsOfAnInstructModel() {
    GenerationConfig config =
        read(
            "{\"bos_token_id\": 128000, \"do_sample\": true,"
                + " \"eos_token_id\": [128001, 128008, 128009], \"temperature\": 0.6,"
                + " \"top_p\": 0.9, \"transformers_version\": \"4.45.0\"}");
    assertEquals(List.of(128001, 128008, 128009), config.eosTokenIds());
    assertEquals(OptionalInt.of(128000), config.bosTokenId());
    assertEquals(DEFAULTS.temperature(0.6f).topP(0.9f), config.apply(DEFAULTS));
  }

  @Test
  void withoutSamplingTheChoiceIsGreedy() {
    GenerationOptions options =
        read("{\"do_sample\": false, \"temperature\": 0.7}").apply(DEFAULTS);
    assertEquals(0, options.temperature());
  }

  @Test
  void anEmptyFileChangesNothing() {
    assertEquals(DEFAULTS, read("{}").apply(DEFAULTS));
    assertEquals(
        DEFAULTS,
        read("{\"temperature\": null, \"top_k\": null, \"eos_token_id\": null}").apply(DEFAULTS));
  }

  @Test
  void everythingThatWeHaveIsSet() {
    GenerationOptions options =
        read("{\"top_k\": 7, \"min_p\": 0.1, \"repetition_penalty\": 1.2, \"max_new_tokens\": 5,"
                + " \"max_length\": 3, \"stop_strings\": \"END\", \"suppress_tokens\": [4, 9]}")
            .apply(DEFAULTS);
    float never = Float.NEGATIVE_INFINITY;
    assertEquals(
        DEFAULTS
            .topK(7)
            .minP(0.1f)
            .repetitionPenalty(1.2f)
            .penaltyWindow(-1) // the penalty of transformers looks at everything before
            .maxNewTokens(5)
            .stopStrings("END")
            .logitBias(Map.of(4, never, 9, never)),
        options);
    assertEquals(3, read("{\"max_length\": 3}").apply(DEFAULTS).maxNewTokens());
    assertEquals(2, read("{\"max_length\": 3}").apply(DEFAULTS.maxNewTokens(2)).maxNewTokens());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[]",
        "{\"temperature\": -1}",
        "{\"temperature\": \"0.5\"}",
        "{\"top_p\": 0}",
        "{\"top_p\": 1.5}",
        "{\"top_k\": -1}",
        "{\"top_k\": 1.5}",
        "{\"do_sample\": 1}",
        "{\"eos_token_id\": [-5]}",
        "{\"repetition_penalty\": 0}",
        "{\"max_new_tokens\": -1}",
        "{\"stop_strings\": [\"\"]}",
        "{\"suppress_tokens\": [1e30]}"
      })
  void brokenFilesAreRefused(String json) {
    FormatException e = assertThrows(FormatException.class, () -> read(json));
    assertEquals(folder.resolve("generation_config.json"), e.file());
  }

  @Test
  void whatIsNotImplementedDoesNotStopLoading() {
    assertEquals(DEFAULTS, read("{\"num_beams\": 4, \"bad_words_ids\": [[1, 2]]}").apply(DEFAULTS));
  }

  @Test
  void theFileIsOptional() {
    assertFalse(GenerationConfigReader.find(folder).isPresent());
    ConfigFixtures.write(folder, "generation_config.json", "{}");
    assertTrue(GenerationConfigReader.find(folder).isPresent());
  }
}
