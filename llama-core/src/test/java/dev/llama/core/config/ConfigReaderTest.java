package dev.llama.core.config;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.FormatException;
import dev.llama.Layer;
import dev.llama.ModelConfig;
import dev.llama.RopeScaling;
import dev.llama.core.json.Json;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Defaults, alternative spellings and refusals of single fields of config.json. */
class ConfigReaderTest {
  @TempDir Path folder;

  /** Reads the small configuration with fields changed; a missing value removes the field. */
  private ModelConfig read(Object... changes) {
    Map<String, Object> json = new HashMap<>(ConfigFixtures.SMALL);
    for (int i = 0; i < changes.length; i += 2) {
      if (Optional.empty().equals(changes[i + 1])) {
        json.remove(changes[i]);
      } else {
        json.put((String) changes[i], changes[i + 1]);
      }
    }
    return ConfigReader.read(ConfigFixtures.write(folder, "config.json", Json.write(json)));
  }

  private void refuse(String part, Object... changes) {
    FormatException e = assertThrows(FormatException.class, () -> read(changes));
    assertEquals(folder.resolve("config.json"), e.file());
    assertTrue(e.getMessage().contains(part), e.getMessage());
  }

  private static Object absent() {
    return Optional.empty();
  }

  private static Map<String, Object> with(Map<String, Object> map, String name, Object value) {
    Map<String, Object> changed = new HashMap<>(map);
    changed.put(name, value);
    return changed;
  }

  @Test
  void absentFieldsHaveThePublishedDefaults() {
    ModelConfig config = read();
    assertEquals(4, config.numKeyValueHeads());
    assertEquals(16, config.headDim());
    assertEquals("silu", config.hiddenAct());
    assertEquals("gated", config.mlpType());
    assertEquals(Layer.NormKind.RMS_NORM, config.normType());
    assertEquals(1e-6, config.rmsNormEps());
    assertEquals(0.02, config.initializerRange());
    assertEquals(10_000, config.ropeTheta());
    assertEquals(new RopeScaling.None(), config.ropeScaling());
    assertEquals(List.of(), config.eosTokenIds());
    assertEquals(OptionalInt.empty(), config.slidingWindow());
    assertEquals(false, config.tieWordEmbeddings());
    assertEquals(2048, read("max_position_embeddings", absent()).maxPositionEmbeddings());
    assertEquals(
        512,
        read("max_position_embeddings", absent(), "max_sequence_length", 512)
            .maxPositionEmbeddings());
  }

  @Test
  void nullsAreAbsent() {
    ModelConfig plain = read();
    Object[] nulls =
        Arrays.asList(
                "num_key_value_heads",
                "head_dim",
                "rope_scaling",
                "rope_theta",
                "rope_parameters",
                "bos_token_id",
                "eos_token_id",
                "pad_token_id",
                "sliding_window",
                "torch_dtype",
                "dtype",
                "quantization_config",
                "attention_bias",
                "mlp_bias",
                "rms_norm_eps",
                "layer_types",
                "tie_word_embeddings",
                "use_cache",
                "pretraining_tp")
            .stream()
            .flatMap(name -> Arrays.asList((Object) name, null).stream())
            .toArray();
    assertEquals(plain, read(nulls));
  }

  @Test
  void tokenIdsMayBeOneSeveralOrNone() {
    assertEquals(List.of(2), read("eos_token_id", 2).eosTokenIds());
    assertEquals(List.of(5, 7), read("eos_token_id", List.of(5, 7)).eosTokenIds());
    assertEquals(List.of(), read("eos_token_id", -1).eosTokenIds());
    assertEquals(OptionalInt.empty(), read("pad_token_id", -1).padTokenId());
    assertEquals(OptionalInt.of(0), read("bos_token_id", 0).bosTokenId());
    refuse("bos_token_id is -2", "bos_token_id", -2);
    refuse("eos_token_id", "eos_token_id", List.of(1, "2"));
  }

  @Test
  void theFamilyIsTheTypesOrTheClasss() {
    assertEquals("llama", read("model_type", absent()).modelType());
    assertEquals("mistral", mistral("model_type", absent()).modelType());
    assertEquals("llama", read("architectures", absent()).modelType());
    assertEquals("llama", read("architectures", List.of("LLaMAForCausalLM")).modelType());
    refuse("model_type is missing", "model_type", absent(), "architectures", List.of());
    refuse("\"qwen2\"", "model_type", "qwen2");
    refuse(
        "LlamaForSequenceClassification",
        "architectures",
        List.of("LlamaForSequenceClassification"));
  }

  private ModelConfig mistral(Object... changes) {
    Object[] all = new Object[changes.length + 6];
    Object[] base = {
      "model_type",
      "mistral",
      "architectures",
      List.of("MistralForCausalLM"),
      "num_key_value_heads",
      2
    };
    System.arraycopy(base, 0, all, 0, 6);
    System.arraycopy(changes, 0, all, 6, changes.length);
    return read(all);
  }

  @Test
  void onlyMistralSlides() {
    assertEquals(OptionalInt.of(16), mistral("sliding_window", 16).slidingWindow());
    assertEquals(OptionalInt.empty(), mistral("sliding_window", null).slidingWindow());
    assertEquals(OptionalInt.of(4096), mistral().slidingWindow());
    assertEquals(
        OptionalInt.empty(),
        read("sliding_window", 16, "use_sliding_window", false).slidingWindow());
    refuse("sliding_window is 16", "sliding_window", 16);
    mistral("sliding_window", 16, "layer_types", List.of("sliding_attention", "sliding_attention"));
    refuse("sliding_attention", "layer_types", List.of("full_attention", "sliding_attention"));
  }

  @Test
  void mistralHasDefaultsOfItsOwn() {
    Object[] eight = {"num_attention_heads", 16, "num_key_value_heads", absent()};
    assertEquals(8, mistral(eight).numKeyValueHeads());
    Object[] all = {"num_attention_heads", 16, "num_key_value_heads", null};
    assertEquals(16, mistral(all).numKeyValueHeads());
    assertEquals(131_072, mistral("max_position_embeddings", absent()).maxPositionEmbeddings());
  }

  @Test
  void bothFormsOfRotaryFieldsGiveTheSame() {
    Map<String, Object> llama3 =
        Map.of(
            "rope_type", "llama3",
            "factor", 8.0,
            "low_freq_factor", 1.0,
            "high_freq_factor", 4.0,
            "original_max_position_embeddings", 1024);
    ModelConfig classic = read("rope_theta", 500_000, "rope_scaling", llama3);
    assertEquals(new RopeScaling.Llama3(8, 1, 4, 1024), classic.ropeScaling());
    assertEquals(500_000, classic.ropeTheta());
    Map<String, Object> v5 = with(llama3, "rope_theta", 500_000.0);
    assertEquals(classic, read("rope_parameters", v5));
    assertEquals(classic, read("rope_parameters", v5, "rope_theta", 500_000));
    assertEquals(
        classic, read("rope_parameters", v5, "rope_theta", 500_000, "rope_scaling", llama3));
    Map<String, Object> bothTypes = with(llama3, "type", "llama3");
    assertEquals(classic, read("rope_theta", 500_000, "rope_scaling", bothTypes));
    refuse("rope_parameters.rope_theta is 500000.0", "rope_parameters", v5, "rope_theta", 10_000);
    refuse(
        "remove one of them",
        "rope_parameters",
        v5,
        "rope_scaling",
        Map.of("type", "linear", "factor", 2));
    refuse("rope_scaling.type is the text \"yarn\"", "rope_scaling", with(llama3, "type", "yarn"));
    Map<String, Object> without = new HashMap<>(llama3);
    without.remove("original_max_position_embeddings");
    refuse("rope_scaling.original_max_position_embeddings is missing", "rope_scaling", without);
    assertEquals(
        classic.ropeScaling(),
        read("rope_scaling", without, "original_max_position_embeddings", 1024).ropeScaling());
  }

  @Test
  void everyKindOfScalingIsReadWithItsDefaults() {
    assertEquals(
        new RopeScaling.Linear(4),
        read("rope_scaling", Map.of("type", "linear", "factor", 4)).ropeScaling());
    assertEquals(
        new RopeScaling.Dynamic(2.5),
        read("rope_scaling", Map.of("rope_type", "dynamic", "factor", 2.5)).ropeScaling());
    assertEquals(
        new RopeScaling.Yarn(4, 4096, 32, 1, 0.1 * Math.log(4) + 1),
        read("rope_scaling", Map.of("type", "yarn", "factor", 4, "finetuned", true)).ropeScaling());
    assertEquals(new RopeScaling.None(), read("rope_scaling", Map.of()).ropeScaling());
    assertEquals(
        new RopeScaling.None(), read("rope_scaling", Map.of("rope_type", "default")).ropeScaling());
  }

  @Test
  void scalingThatIsNotImplementedIsRefusedByName() {
    Map<String, Object> yarn = Map.of("rope_type", "yarn", "factor", 4);
    refuse("rope_scaling.mscale is 0.7", "rope_scaling", with(yarn, "mscale", 0.7));
    refuse("rope_scaling.mscale_all_dim", "rope_scaling", with(yarn, "mscale_all_dim", 1));
    refuse("rope_scaling.truncate is false", "rope_scaling", with(yarn, "truncate", false));
    refuse("attention_factor is 0", "rope_scaling", with(yarn, "attention_factor", 0));
    refuse("beta_slow is 64", "rope_scaling", with(yarn, "beta_slow", 64));
    refuse(
        "longrope",
        "rope_scaling",
        Map.of("rope_type", "longrope", "short_factor", List.of(1), "long_factor", List.of(1)));
    Map<String, Object> partial = Map.of("rope_type", "default", "partial_rotary_factor", 0.5);
    refuse("rope_parameters.partial_rotary_factor is 0.5", "rope_parameters", partial);
    refuse("partial_rotary_factor is 0.25", "partial_rotary_factor", 0.25);
    refuse(
        "original_max_position_embeddings is 1024",
        "rope_scaling",
        Map.of("type", "dynamic", "factor", 2, "original_max_position_embeddings", 1024));
    refuse(
        "full_attention",
        "rope_parameters",
        Map.of("full_attention", Map.of("rope_theta", 1e6, "rope_type", "default")));
    refuse("above 1 for rope_type yarn", "rope_scaling", yarn, "rope_theta", 1);
  }

  @Test
  void otherArchitecturesAreRefusedByName() {
    refuse("quantization_config", "quantization_config", Map.of("quant_method", "awq"));
    refuse("attn_logit_softcapping is 50.0", "attn_logit_softcapping", 50.0);
    refuse("num_local_experts is 8", "num_local_experts", 8);
    refuse("use_qk_norm is true", "use_qk_norm", true);
    refuse("is_encoder_decoder is true", "is_encoder_decoder", true);
    refuse("pruned_heads", "pruned_heads", Map.of("0", List.of(1)));
    refuse("hidden_act must be silu", "hidden_act", "gelu");
    refuse("norm_type", "norm_type", "batch_norm");
    refuse("mlp_type must be gated or plain", "mlp_type", "wide");
    ModelConfig neutral =
        read(
            "partial_rotary_factor",
            1,
            "use_qk_norm",
            false,
            "pruned_heads",
            Map.of(),
            "residual_multiplier",
            1.0,
            "is_encoder_decoder",
            false);
    assertEquals(read(), neutral);
  }

  @Test
  void plainMlpAndLayerNormAreOurOwnFields() {
    ModelConfig config = read("mlp_type", "plain", "norm_type", "layer_norm", "mlp_bias", true);
    assertEquals("gelu", config.hiddenAct());
    long norms = 5 * 2 * 64;
    long attention = 2 * 4 * 64 * 64;
    long mlp = 2 * (2 * 64 * 176 + 176 + 64);
    assertEquals(2 * 512 * 64 + norms + attention + mlp, config.parameterCount());
    assertEquals(4 * 2 + 3, config.layers().size());
  }

  @Test
  void headsMayBeWiderThanTheModel() {
    ModelConfig config = read("head_dim", 32);
    Layer attention = config.layers().get(2);
    assertEquals(List.of(128L, 64L), attention.weights().get(0).shape());
    assertEquals(List.of(64L, 128L), attention.weights().get(3).shape());
  }

  @Test
  void unknownFieldsAreKeptAndKnownOnesAreNot() {
    ModelConfig config =
        read(
            "my_number",
            1.5,
            "auto_map",
            Map.of("x", List.of("y")),
            "note",
            null,
            "_name_or_path",
            "somewhere",
            "temperature",
            0.6);
    Map<String, Object> expected = new HashMap<>();
    expected.put("my_number", 1.5);
    expected.put("auto_map", Map.of("x", List.of("y")));
    expected.put("note", null);
    assertEquals(expected, config.unknownFields());
  }

  @Test
  void theNewNameOfTheTypeCounts() {
    assertEquals(Optional.of("bfloat16"), read("torch_dtype", "bfloat16").torchDtype());
    assertEquals(Optional.of("float16"), read("dtype", "float16").torchDtype());
    assertEquals(
        Optional.of("float16"), read("dtype", "float16", "torch_dtype", "float32").torchDtype());
  }
}
