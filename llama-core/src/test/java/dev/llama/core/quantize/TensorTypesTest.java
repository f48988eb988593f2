package dev.llama.core.quantize;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.ModelConfig;
import dev.llama.core.config.Presets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The mixtures of llama.cpp, from the rules of its {@code llama_tensor_get_type}, for models of 16
 * (4 heads to a key head, tied), 32 (4, untied) and 80 blocks (8, untied).
 */
class TensorTypesTest {
  private static final ModelConfig TIED = Presets.read("llama-3.2-1b");
  private static final ModelConfig UNTIED = Presets.read("llama-3.1-8b");
  private static final ModelConfig LARGE = Presets.read("llama-3.1-70b");

  private static DType of(ModelConfig config, String type, String name, long... shape) {
    return new TensorTypes(QuantizationType.of(type), false, config)
        .of(name, shape.length == 0 ? new long[] {4096, 4096} : shape);
  }

  @ParameterizedTest
  @CsvSource({
    "Q4_K_M, output.weight, Q6_K",
    "Q4_K_M, token_embd.weight, Q4_K",
    "Q4_K_M, blk.3.attn_v.weight, Q6_K",
    "Q4_K_M, blk.4.attn_v.weight, Q4_K",
    "Q4_K_M, blk.6.attn_v.weight, Q6_K",
    "Q4_K_M, blk.28.ffn_down.weight, Q6_K",
    "Q4_K_M, blk.5.ffn_down.weight, Q4_K",
    "Q4_K_M, blk.0.attn_q.weight, Q4_K",
    "Q4_K_M, blk.0.attn_output.weight, Q4_K",
    "Q4_K_S, blk.3.attn_v.weight, Q5_K",
    "Q4_K_S, blk.4.attn_v.weight, Q4_K",
    "Q4_K_S, blk.3.ffn_down.weight, Q5_K",
    "Q4_K_S, blk.4.ffn_down.weight, Q4_K",
    "Q5_K_M, blk.0.ffn_down.weight, Q6_K",
    "Q5_K_S, blk.0.ffn_down.weight, Q5_K",
    "Q3_K_M, blk.1.attn_v.weight, Q5_K",
    "Q3_K_M, blk.2.attn_v.weight, Q4_K",
    "Q3_K_M, blk.1.ffn_down.weight, Q5_K",
    "Q3_K_M, blk.2.ffn_down.weight, Q4_K",
    "Q3_K_M, blk.9.attn_output.weight, Q4_K",
    "Q3_K_L, blk.9.attn_output.weight, Q5_K",
    "Q3_K_L, blk.9.ffn_up.weight, Q3_K",
    "Q2_K, blk.9.attn_v.weight, Q4_K",
    "Q2_K, blk.9.ffn_down.weight, Q3_K",
    "Q2_K_S, blk.3.ffn_down.weight, Q4_K",
    "Q2_K_S, blk.4.ffn_down.weight, Q2_K",
    "Q8_0, output.weight, Q8_0",
    "Q4_0, output.weight, Q6_K",
    "Q4_0, blk.0.attn_v.weight, Q4_0",
    "F16, output.weight, F16"
  })
  void mixtures(String type, String name, DType expected) {
    assertEquals(expected, of(UNTIED, type, name));
  }

  @Test
  void anEmbeddingThatIsTheOutputTooIsTreatedAsOutput() {
    assertEquals(DType.Q6_K, of(TIED, "Q4_K_M", "token_embd.weight"));
    assertEquals(DType.Q8_0, of(TIED, "Q4_K_M", "token_embd.weight", 512, 64));
    assertEquals(DType.Q8_0, of(TIED, "Q4_0", "token_embd.weight", 512, 64));
  }

  @Test
  void largeModelsHaveSmallValueMatrices() {
    assertEquals(DType.Q5_K, of(LARGE, "Q4_K_M", "blk.10.attn_v.weight"));
    assertEquals(DType.Q6_K, of(LARGE, "Q4_K_M", "blk.0.attn_v.weight"));
    assertEquals(DType.Q5_K, of(LARGE, "Q3_K_S", "blk.10.attn_v.weight"));
  }

  @ParameterizedTest
  @CsvSource({
    "Q2_K_S, 96, Q4_0",
    "Q3_K_S, 96, Q4_0",
    "Q4_K_S, 96, Q5_0",
    "Q5_K_S, 96, Q5_1",
    "Q6_K, 96, Q8_0",
    "Q6_K, 172, F16",
    "Q4_0, 172, F16",
    "Q8_0, 512, Q8_0",
    "BF16, 172, BF16"
  })
  void rowsThatDoNotFitGetTheNextFormat(String type, long width, DType expected) {
    assertEquals(expected, of(UNTIED, type, "blk.20.attn_q.weight", 64, width));
  }

  @Test
  void pureIsPure() {
    TensorTypes types = new TensorTypes(QuantizationType.Q4_K_M, true, TIED);
    assertEquals(DType.Q4_K, types.of("token_embd.weight", new long[] {256, 256}));
    assertEquals(DType.Q4_K, types.of("blk.0.attn_v.weight", new long[] {256, 256}));
    assertEquals(DType.F32, types.of("blk.0.attn_norm.weight", new long[] {256}));
  }

  @Test
  void namesAreThoseOfLlamaCpp() {
    assertEquals(QuantizationType.Q4_K_M, QuantizationType.of("q4_k"));
    assertEquals(QuantizationType.Q5_K_M, QuantizationType.of("Q5_K_M"));
    InvalidInputException e =
        assertThrows(InvalidInputException.class, () -> QuantizationType.of("Q9_X"));
    assertTrue(e.getMessage().contains("Q9_X") && e.getMessage().contains("Q4_0"), e.getMessage());
  }
}
