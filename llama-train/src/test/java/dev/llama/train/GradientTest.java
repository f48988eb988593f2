package dev.llama.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.ModelConfig;
import dev.llama.ModelOptions;
import dev.llama.train.Parameters.Parameter;
import java.io.IOException;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Gradients of whole models are the slope of their loss: of every kind of layer, and of what no
 * reference run covers.
 */
class GradientTest {
  private static final int ROWS = 3;
  private static final int LENGTH = 12;

  private static ModelConfig config(String kind) {
    return switch (kind) {
      case "grouped" -> Models.tiny();
      case "multi-head" -> Models.tiny("num_key_value_heads", 4);
      case "one key head" -> Models.tiny("num_key_value_heads", 1);
      case "head_dim" -> Models.tiny("head_dim", 6);
      case "tied" -> Models.tiny("tie_word_embeddings", true);
      case "biases" -> Models.tiny("attention_bias", true, "mlp_bias", true);
      case "layer norm" -> Models.tiny("norm_type", "layer_norm");
      case "plain mlp" -> Models.tiny("mlp_type", "plain", "hidden_act", "gelu", "mlp_bias", true);
      case "window" -> Models.tiny("model_type", "mistral", "sliding_window", 3);
      case "dropout" -> Models.tiny("attention_dropout", 0.3);
      case "llama3" ->
          scaled(
              Map.of(
                  "rope_type", "llama3",
                  "factor", 8.0,
                  "low_freq_factor", 1.0,
                  "high_freq_factor", 4.0,
                  "original_max_position_embeddings", 16));
      case "yarn" ->
          scaled(
              Map.of("rope_type", "yarn", "factor", 4.0, "original_max_position_embeddings", 16));
      case "linear" -> scaled(Map.of("rope_type", "linear", "factor", 2.0));
      case "dynamic" -> // rows of 12 are beyond its 8 positions
          Models.tiny(
              "max_position_embeddings",
              8,
              "rope_scaling",
              Map.of("rope_type", "dynamic", "factor", 2.0));
      default -> throw new AssertionError(kind);
    };
  }

  private static ModelConfig scaled(Map<String, Object> scaling) {
    return Models.tiny("rope_scaling", scaling);
  }

  private static Trainer trainer(String kind, String backend, boolean resetPositions) {
    return Trainer.builder(config(kind))
        .batch(ROWS, LENGTH)
        .resetPositions(resetPositions)
        .seed(7)
        .options(ModelOptions.defaults().backend(backend))
        .build();
  }

  /** In double arithmetic, so that a difference quotient has some digits. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "grouped", "multi-head", "one key head", "head_dim", "tied", "biases", "layer norm",
        "plain mlp", "window", "dropout", "llama3", "yarn", "linear", "dynamic"
      })
  void gradientsAreTheSlopeOfTheLoss(String kind) throws IOException {
    try (Trainer trainer = trainer(kind, "naive", true)) {
      BatchSource source = ListSource.endless(ListSource.random(ROWS, LENGTH, 20, 3));
      perturb(trainer);
      trainer.gradients(source);
      Map<String, float[]> gradients = new HashMap<>(); // those on the backend will change
      for (Parameter parameter : trainer.parameters()) {
        gradients.put(parameter.name(), Tensors.read(trainer, parameter.gradient()));
      }
      Random random = new Random(5);
      for (Parameter parameter : trainer.parameters()) {
        float[] gradient = gradients.get(parameter.name());
        float[] direction = new float[gradient.length];
        double expected = 0;
        for (int i = 0; i < direction.length; i++) {
          direction[i] = random.nextBoolean() ? 1 : -1;
          expected += direction[i] * gradient[i];
        }
        double slope = slope(trainer, source, parameter, direction);
        double size = Math.sqrt(gradient.length) * norm(gradient);
        assertTrue(norm(gradient) > 0, parameter.name() + " has no gradient");
        assertEquals(slope, expected, 1e-3 * size + 1e-4, parameter.name());
      }
    }
  }

  /** Norms of 1 and biases of 0 would hide mistakes. */
  private static void perturb(Trainer trainer) throws IOException {
    Random random = new Random(11);
    for (Parameter parameter : trainer.parameters()) {
      if (!parameter.decays()) {
        float[] values = Tensors.read(trainer, parameter.weight());
        for (int i = 0; i < values.length; i++) {
          values[i] += 0.3f * (float) random.nextGaussian();
        }
        Tensors.write(trainer, parameter.weight(), values);
      }
    }
  }

  private static double slope(
      Trainer trainer, BatchSource source, Parameter parameter, float[] direction)
      throws IOException {
    float step = 1e-3f;
    float[] weights = Tensors.read(trainer, parameter.weight());
    double[] losses = new double[2];
    for (int side = 0; side < 2; side++) {
      float[] moved = weights.clone();
      for (int i = 0; i < moved.length; i++) {
        moved[i] += (side == 0 ? step : -step) * direction[i];
      }
      Tensors.write(trainer, parameter.weight(), moved);
      losses[side] = trainer.gradients(source).loss();
    }
    Tensors.write(trainer, parameter.weight(), weights);
    return (losses[0] - losses[1]) / (2 * step);
  }

  private static double norm(float[] values) {
    double sum = 0;
    for (float value : values) {
      sum += (double) value * value;
    }
    return Math.sqrt(sum);
  }

  /** The kernels that people train with give the gradients of the definition. */
  @ParameterizedTest
  @CsvSource({
    "grouped, cpu", "head_dim, cpu", "tied, cpu", "biases, cpu", "layer norm, cpu",
    "plain mlp, cpu", "window, cpu", "dropout, cpu", "yarn, cpu", "biases, cpu:reference"
  })
  void theCpuGivesTheSameGradients(String kind, String backend) throws IOException {
    try (Trainer exact = trainer(kind, "naive", false);
        Trainer trainer = trainer(kind, backend, false)) {
      TokenBatch batch = ListSource.random(ROWS, LENGTH, 20, 9);
      perturb(exact);
      Tensors.copyState(exact, trainer);
      exact.gradients(ListSource.endless(batch));
      trainer.gradients(ListSource.endless(batch));
      for (int i = 0; i < exact.parameters().size(); i++) {
        Parameter parameter = exact.parameters().get(i);
        float[] wanted = Tensors.read(exact, parameter.gradient());
        float[] found = Tensors.read(trainer, trainer.parameters().get(i).gradient());
        double tolerance = 1e-5 * (norm(wanted) + 0.01);
        for (int j = 0; j < wanted.length; j++) {
          assertEquals(wanted[j], found[j], tolerance, parameter.name() + "[" + j + "]");
        }
      }
    }
  }
}
