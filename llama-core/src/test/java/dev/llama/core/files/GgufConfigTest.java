package dev.llama.core.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.FormatException;
import dev.llama.ModelConfig;
import dev.llama.RopeScaling;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every llama.* key is honoured, or refused by name when it asks for what is not implemented. */
class GgufConfigTest {
  private static final String SCALING = "llama.rope.scaling.";

  @TempDir Path folder;

  @Test
  void readsTheKeysUnderTheNamesOfConfigJson() {
    ModelConfig config =
        config(
            GgufBytes.llama()
                .uint32("llama.attention.head_count_kv", 1)
                .uint32("llama.attention.key_length", 6)
                .uint32("llama.attention.value_length", 6)
                .uint32("llama.rope.dimension_count", 6)
                .float32("llama.rope.freq_base", 500_000)
                .uint32("llama.attention.sliding_window", 8)
                .floats("output.weight", 1)
                .floats("blk.0.attn_q.bias", 1)
                .floats("blk.0.ffn_up.bias", 1));
    assertEquals(3, config.vocabSize());
    assertEquals(16, config.maxPositionEmbeddings());
    assertEquals(4, config.hiddenSize());
    assertEquals(1, config.numHiddenLayers());
    assertEquals(8, config.intermediateSize());
    assertEquals(2, config.numAttentionHeads());
    assertEquals(1, config.numKeyValueHeads());
    assertEquals(6, config.headDim());
    assertEquals(1e-5, config.rmsNormEps());
    assertEquals(500_000, config.ropeTheta());
    assertEquals(OptionalInt.of(8), config.slidingWindow());
    assertEquals("mistral", config.modelType());
    assertFalse(config.tieWordEmbeddings());
    assertTrue(config.attentionBias());
    assertTrue(config.mlpBias());
    assertTrue(config.unknownFields().isEmpty());
  }

  @Test
  void absentKeysHaveTheDefaultsOfLlamaCpp() {
    ModelConfig config = config(GgufBytes.llama().uint32("llama.attention.sliding_window", 0));
    assertEquals(2, config.numKeyValueHeads());
    assertEquals(2, config.headDim());
    assertEquals(10_000, config.ropeTheta());
    assertEquals(new RopeScaling.None(), config.ropeScaling());
    assertEquals(OptionalInt.empty(), config.slidingWindow());
    assertEquals("llama", config.modelType());
    assertTrue(config.tieWordEmbeddings());
    assertFalse(config.attentionBias());
    assertFalse(config.mlpBias());
    assertEquals(OptionalInt.empty(), config.bosTokenId());
    assertEquals(List.of(), config.eosTokenIds());
  }

  @Test
  void theListOfTokensCounts() {
    byte[] words = GgufBytes.join(GgufBytes.string("a"), GgufBytes.string("b"));
    assertEquals(
        2,
        config(GgufBytes.llama().array("tokenizer.ggml.tokens", GgufBytes.STRING, 2, words))
            .vocabSize());
  }

  @Test
  void collectsEveryTokenThatEndsATurn() {
    ModelConfig config =
        config(
            GgufBytes.llama()
                .uint32("tokenizer.ggml.bos_token_id", 0)
                .uint32("tokenizer.ggml.eos_token_id", 2)
                .uint32("tokenizer.ggml.eot_token_id", 1)
                .uint32("tokenizer.ggml.eom_token_id", 2)
                .uint32("tokenizer.ggml.padding_token_id", -1));
    assertEquals(OptionalInt.of(0), config.bosTokenId());
    assertEquals(List.of(2, 1), config.eosTokenIds());
    assertEquals(OptionalInt.empty(), config.padTokenId());
  }

  @Test
  void readsLinearScalingWithOldAndNewKeys() {
    RopeScaling expected = new RopeScaling.Linear(4);
    assertEquals(
        expected,
        config(GgufBytes.llama().text(SCALING + "type", "linear").float32(SCALING + "factor", 4))
            .ropeScaling());
    assertEquals(
        expected, config(GgufBytes.llama().float32("llama.rope.scale_linear", 4)).ropeScaling());
    assertEquals(
        new RopeScaling.None(),
        config(GgufBytes.llama().text(SCALING + "type", "none").float32(SCALING + "factor", 4))
            .ropeScaling());
  }

  @Test
  void readsYarn() {
    RopeScaling scaling =
        config(
                GgufBytes.llama()
                    .text(SCALING + "type", "yarn")
                    .float32(SCALING + "factor", 8)
                    .float32(SCALING + "yarn_beta_fast", 24)
                    .uint32(SCALING + "original_context_length", 4)
                    .bool(SCALING + "finetuned", true))
            .ropeScaling();
    assertEquals(new RopeScaling.Yarn(8, 4, 24, 1, 0.1 * Math.log(8) + 1), scaling);
  }

  @Test
  void readsDivisorsOfTheFrequencies() {
    assertEquals(
        new RopeScaling.Factors(List.of(2.5f)),
        config(GgufBytes.llama().floats("rope_freqs.weight", 2.5f)).ropeScaling());
  }

  @ParameterizedTest
  @ValueSource(floats = {0, -1, Float.NaN, Float.POSITIVE_INFINITY})
  void refusesSenselessDivisors(float divisor) {
    assertRefused(GgufBytes.llama().floats("rope_freqs.weight", divisor), "divisor is " + divisor);
  }

  @Test
  void refusesDivisorsOfTheWrongLength() {
    assertRefused(GgufBytes.llama().floats("rope_freqs.weight", 1, 2), "[2], expected F32 [1]");
  }

  @Test
  void refusesDivisorsTogetherWithScaling() {
    assertRefused(
        GgufBytes.llama().float32(SCALING + "factor", 2).floats("rope_freqs.weight", 1),
        "both together are not implemented");
  }

  @ParameterizedTest
  @CsvSource({
    "general.architecture, qwen2",
    "llama.rope.scaling.type, longrope",
    "llama.context_length, many"
  })
  void refusesTexts(String key, String value) {
    FormatException e =
        assertThrows(
            FormatException.class, () -> config(new GgufBytes().text("x", "y").text(key, value)));
    assertTrue(e.getMessage().contains(": general.architecture is "), e.getMessage());
    if (!key.startsWith("general.")) {
      GgufBytes bytes =
          new GgufBytes()
              .text("general.architecture", "llama")
              .uint32("llama.embedding_length", 4)
              .uint32("llama.vocab_size", 3)
              .uint32("llama.feed_forward_length", 8)
              .uint32("llama.block_count", 1)
              .float32("llama.attention.layer_norm_rms_epsilon", 1e-5f)
              .uint32("llama.attention.head_count", 2);
      if (!key.endsWith("context_length")) {
        bytes.uint32("llama.context_length", 16);
      }
      assertRefused(bytes.text(key, value), key + " is the text \"" + value + "\"");
    }
  }

  @ParameterizedTest
  @CsvSource({
    "llama.expert_count, 8",
    "llama.rope.dimension_count, 1",
    "llama.attention.value_length, 4",
    "llama.attention.key_length, 3",
    "llama.attention.head_count_kv, 0",
    "llama.attention.head_count_kv, 3",
    "llama.attention.sliding_window, -1"
  })
  void refusesIntegersByName(String key, int value) {
    String name = key.substring(key.lastIndexOf('.') + 1);
    assertThrows(FormatException.class, () -> config(GgufBytes.llama().uint32(key, value)), name);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "llama.attention.clamp_kqv",
        "llama.attention.max_alibi_bias",
        "llama.attention.scale",
        "llama.logit_scale",
        "llama.embedding_scale",
        "llama.residual_scale",
        "llama.attn_logit_softcapping",
        "llama.final_logit_softcapping"
      })
  void refusesWhatOtherArchitecturesScale(String key) {
    assertRefused(GgufBytes.llama().float32(key, 0.5f), key + " is 0.5, which is not implemented");
  }

  @Test
  void acceptsNeutralValuesOfWhatIsNotImplemented() {
    config(
        GgufBytes.llama()
            .uint32("llama.expert_count", 0)
            .uint32("llama.expert_used_count", 0)
            .bool("llama.use_parallel_residual", false)
            .bool("llama.attention.causal", true)
            .float32("llama.logit_scale", 1));
  }

  @Test
  void refusesValuesPerLayer() {
    assertRefused(
        GgufBytes.llama().array("llama.attention.layers", GgufBytes.INT32, 1, GgufBytes.int32(1)),
        "llama.attention.layers is an array");
  }

  /** An expert's gate or a norm's bias would change the results if it were left out. */
  @ParameterizedTest
  @ValueSource(
      strings = {"blk.0.ffn_gate_inp.weight", "blk.0.attn_norm.bias", "rope_factors_long.weight"})
  void refusesTensorsThatAreNoPartOfALlama(String name) {
    assertRefused(GgufBytes.llama().floats(name, 1), "for instance " + name);
  }

  @Test
  void keepsUnknownKeysOfTheArchitecture() {
    ModelConfig config = config(GgufBytes.llama().uint32("llama.new_key", 5).uint32("other", 6));
    assertEquals(Map.of("llama.new_key", 5L), config.unknownFields());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "llama.context_length",
        "llama.embedding_length",
        "llama.block_count",
        "llama.feed_forward_length",
        "llama.attention.head_count",
        "llama.attention.layer_norm_rms_epsilon"
      })
  void namesTheMissingKey(String missing) {
    GgufBytes bytes = new GgufBytes().text("general.architecture", "llama");
    bytes.uint32("llama.vocab_size", 3);
    for (String key :
        List.of(
            "llama.context_length",
            "llama.embedding_length",
            "llama.block_count",
            "llama.feed_forward_length",
            "llama.attention.head_count")) {
      if (!key.equals(missing)) {
        bytes.uint32(key, 2);
      }
    }
    assertRefused(bytes, missing + " is missing");
  }

  private ModelConfig config(GgufBytes bytes) {
    try (GgufFile file = GgufFile.open(bytes.write(folder.resolve("file.gguf")))) {
      return file.config();
    }
  }

  private void assertRefused(GgufBytes bytes, String part) {
    FormatException e = assertThrows(FormatException.class, () -> config(bytes));
    assertTrue(e.getMessage().contains(part), e.getMessage());
  }
}
