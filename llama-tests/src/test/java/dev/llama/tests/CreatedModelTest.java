package dev.llama.tests;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.FormatException;
import dev.llama.GeneratedToken;
import dev.llama.Generation;
import dev.llama.GenerationOptions;
import dev.llama.Model;
import dev.llama.ModelConfig;
import dev.llama.ModelOptions;
import dev.llama.Session;
import dev.llama.Tokenizer;
import dev.llama.core.catalogue.LayerSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Models of random weights, made of a preset or a layer-spec, without any file of the model. */
class CreatedModelTest {
  private static final ModelOptions CPU = ModelOptions.defaults().backend("cpu");
  private static final int[] PROMPT = {1, 2, 3, 5, 8, 13};

  @TempDir Path folder;

  @ParameterizedTest(name = "{0}, {1}, bias {2}, LayerNorm {3}, {4} output")
  @CsvSource({
    "AttentionLayer, GatedMLPLayer, false, false, tied",
    "AttentionLayer, MLPLayer, true, true, own",
    "GroupedQueryAttentionLayer, GatedMLPLayer, true, true, own",
    "GroupedQueryAttentionLayer, MLPLayer, false, false, tied",
  })
  void layerSpecAloneMakesAModel(
      String attention, String mlp, boolean bias, boolean layerNorm, String output)
      throws IOException {
    boolean grouped = attention.startsWith("Grouped");
    Path file = folder.resolve("acme_small.json");
    Files.writeString(
        file,
        """
        {"model_id": "acme_small", "hf_model_id": "acme/small", "name": "Small",
         "hidden_size": 64, "num_layers": 2, "vocab_size": 99, "total_params": 1,
         "layer_types": [
          {"name": "a", "class": "%s", "count": 2, "specs":
           {"hidden_size": 64, "num_heads": 4, %s "head_dim": 16, "has_bias": %b}},
          {"name": "m", "class": "%s", "count": 2, "specs":
           {"hidden_size": 64, "intermediate_size": 96, "has_bias": %b}},
          {"name": "n", "class": "NormLayer", "count": 5, "specs":
           {"hidden_size": 64, "has_bias": %b}},
          {"name": "e", "class": "EmbeddingLayer", "count": %d, "specs":
           {"vocab_size": 99, "hidden_size": 64}}]}
        """
            .formatted(
                attention,
                grouped ? "\"num_kv_heads\": 2," : "",
                bias,
                mlp,
                bias,
                layerNorm,
                output.equals("own") ? 2 : 1));
    LayerSpec spec = LayerSpec.read(file);
    try (Model model = Model.create(spec.toConfig(), 7, CPU);
        Session session = model.newSession()) {
      assertEquals(spec.parameterCount(), model.config().parameterCount());
      session.append(PROMPT);
      float[] logits = session.logits();
      assertEquals(99, logits.length);
      boolean differ = false;
      for (float logit : logits) {
        assertTrue(Float.isFinite(logit), "logit " + logit);
        differ |= logit != logits[0];
      }
      assertTrue(differ, "all logits are equal");
      assertEquals(5, generate(session).size());
    }
  }

  private static List<Integer> generate(Session session) {
    List<Integer> ids = new ArrayList<>();
    GenerationOptions options = GenerationOptions.greedy().maxNewTokens(5);
    try (Generation generation = session.generate(new int[] {21}, options)) {
      for (GeneratedToken token : generation) {
        ids.add(token.id());
      }
    }
    return ids;
  }

  @Test
  void configurationMakesTheModelThatItsFileMakes() {
    Path file = Fixtures.path("models/gqa-8-2/config.json");
    try (Model ofFile = Model.create(file, 3, CPU);
        Model ofConfig = Model.create(ModelConfig.read(file), 3, CPU);
        Session one = ofFile.newSession();
        Session other = ofConfig.newSession()) {
      one.append(PROMPT);
      other.append(PROMPT);
      assertArrayEquals(one.logits(), other.logits());
    }
  }

  @Test
  void presetHasNoTokenizerButTheOneInTheOptions() {
    ModelConfig tiny = ModelConfig.preset("tiny");
    try (Model model = Model.create(tiny, 1, CPU)) {
      assertEquals(9_637_248, model.config().parameterCount());
      FormatException e = assertThrows(FormatException.class, model::tokenizer);
      assertTrue(e.getMessage().contains("ModelOptions.tokenizer"), e.getMessage());
    }
    Tokenizer tokenizer = new ByteTokenizer();
    try (Model model = Model.create(tiny, 1, CPU.tokenizer(tokenizer))) {
      assertSame(tokenizer, model.tokenizer());
    }
  }
}
