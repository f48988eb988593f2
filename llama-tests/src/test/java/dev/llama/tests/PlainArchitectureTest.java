package dev.llama.tests;

import dev.llama.Layer;
import dev.llama.Model;
import dev.llama.ModelConfig;
import dev.llama.ModelOptions;
import dev.llama.Session;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Layer norm and a plain MLP, with biases everywhere: no published Llama has them, so the expected
 * logits are computed here, one scalar at a time in double precision.
 */
class PlainArchitectureTest {
  private static final int HIDDEN = 24;
  private static final int HEADS = 3;
  private static final int HEAD_DIM = 8;
  private static final int[] TOKENS = {3, 14, 15, 9, 2, 6, 5, 3, 5};

  @TempDir Path folder;
  private final Map<String, float[]> weights = new HashMap<>();

  @ParameterizedTest
  @ValueSource(strings = {"cpu:reference", "cpu:openblas"})
  void logitsEqualThoseOfTheFormulas(String backend) throws IOException {
    Files.writeString(
        folder.resolve("config.json"),
        """
        {"model_type": "llama", "hidden_size": 24, "intermediate_size": 40, "vocab_size": 30,
         "num_hidden_layers": 2, "num_attention_heads": 3, "max_position_embeddings": 64,
         "hidden_act": "gelu", "mlp_type": "plain", "norm_type": "layer_norm",
         "attention_bias": true, "mlp_bias": true, "rms_norm_eps": 1e-5,
         "tie_word_embeddings": false, "rope_theta": 10000.0}
        """);
    ModelConfig config = ModelConfig.read(folder);
    Map<String, long[]> shapes = new LinkedHashMap<>();
    for (Layer layer : config.layers()) {
      for (Layer.Weight weight : layer.weights()) {
        shapes.put(weight.name(), weight.shape().stream().mapToLong(Long::longValue).toArray());
      }
    }
    Random random = new Random(9);
    Safetensors.write(
        folder.resolve("model.safetensors"),
        shapes,
        (name, elements) -> {
          float[] values = new float[elements];
          for (int i = 0; i < elements; i++) {
            values[i] = (float) (0.3 * random.nextGaussian());
          }
          weights.put(name, values);
          return values;
        });
    try (Model model = Model.load(folder, ModelOptions.defaults().backend(backend));
        Session session = model.newSession()) {
      float[][] expected = expectedLogits();
      session.append(
          TOKENS,
          (position, logits) ->
              Goldens.assertClose(expected[position], logits, 1e-4, "position " + position));
    }
  }

  private float[][] expectedLogits() {
    double[][] x = new double[TOKENS.length][];
    for (int t = 0; t < x.length; t++) {
      x[t] = new double[HIDDEN];
      for (int i = 0; i < HIDDEN; i++) {
        x[t][i] = weights.get("model.embed_tokens.weight")[TOKENS[t] * HIDDEN + i];
      }
    }
    for (int block = 0; block < 2; block++) {
      String name = "model.layers." + block;
      double[][] attended = attention(name + ".self_attn", norm(name + ".input_layernorm", x));
      add(x, attended);
      double[][] up = linear(name + ".mlp.up_proj", norm(name + ".post_attention_layernorm", x));
      for (double[] row : up) {
        for (int i = 0; i < row.length; i++) {
          row[i] = 0.5 * row[i] * (1 + erf(row[i] / Math.sqrt(2)));
        }
      }
      add(x, linear(name + ".mlp.down_proj", up));
    }
    double[][] logits = linear("lm_head", norm("model.norm", x));
    float[][] result = new float[logits.length][logits[0].length];
    for (int t = 0; t < logits.length; t++) {
      for (int i = 0; i < logits[t].length; i++) {
        result[t][i] = (float) logits[t][i];
      }
    }
    return result;
  }

  private static void add(double[][] x, double[][] y) {
    for (int t = 0; t < x.length; t++) {
      for (int i = 0; i < x[t].length; i++) {
        x[t][i] += y[t][i];
      }
    }
  }

  private double[][] norm(String name, double[][] x) {
    double[][] out = new double[x.length][HIDDEN];
    for (int t = 0; t < x.length; t++) {
      double mean = 0;
      double square = 0;
      for (double value : x[t]) {
        mean += value / HIDDEN;
        square += value * value / HIDDEN;
      }
      double scale = 1 / Math.sqrt(square - mean * mean + 1e-5);
      for (int i = 0; i < HIDDEN; i++) {
        out[t][i] =
            (x[t][i] - mean) * scale * weights.get(name + ".weight")[i]
                + weights.get(name + ".bias")[i];
      }
    }
    return out;
  }

  private double[][] linear(String name, double[][] x) {
    float[] weight = weights.get(name + ".weight");
    float[] bias = weights.get(name + ".bias");
    int inputs = x[0].length;
    int outputs = weight.length / inputs;
    double[][] out = new double[x.length][outputs];
    for (int t = 0; t < x.length; t++) {
      for (int o = 0; o < outputs; o++) {
        double sum = bias == null ? 0 : bias[o];
        for (int i = 0; i < inputs; i++) {
          sum += x[t][i] * weight[o * inputs + i];
        }
        out[t][o] = sum;
      }
    }
    return out;
  }

  private double[][] attention(String name, double[][] x) {
    double[][] q = linear(name + ".q_proj", x);
    double[][] k = linear(name + ".k_proj", x);
    double[][] v = linear(name + ".v_proj", x);
    rotate(q);
    rotate(k);
    double[][] out = new double[x.length][HIDDEN];
    for (int t = 0; t < x.length; t++) {
      for (int h = 0; h < HEADS; h++) {
        double[] probabilities = new double[t + 1];
        double total = 0;
        for (int s = 0; s <= t; s++) {
          double score = 0;
          for (int i = h * HEAD_DIM; i < (h + 1) * HEAD_DIM; i++) {
            score += q[t][i] * k[s][i];
          }
          probabilities[s] = Math.exp(score / Math.sqrt(HEAD_DIM));
          total += probabilities[s];
        }
        for (int s = 0; s <= t; s++) {
          for (int i = h * HEAD_DIM; i < (h + 1) * HEAD_DIM; i++) {
            out[t][i] += probabilities[s] / total * v[s][i];
          }
        }
      }
    }
    return linear(name + ".o_proj", out);
  }

  private static void rotate(double[][] x) {
    int half = HEAD_DIM / 2;
    for (int t = 0; t < x.length; t++) {
      for (int h = 0; h < HEADS; h++) {
        for (int i = 0; i < half; i++) {
          double angle = t * Math.pow(10000, -2.0 * i / HEAD_DIM);
          int a = h * HEAD_DIM + i;
          double first = x[t][a];
          double second = x[t][a + half];
          x[t][a] = first * Math.cos(angle) - second * Math.sin(angle);
          x[t][a + half] = second * Math.cos(angle) + first * Math.sin(angle);
        }
      }
    }
  }

  /** The error function by its Taylor series, exact enough for the small arguments here. */
  private static double erf(double x) {
    double term = x;
    double sum = x;
    for (int n = 1; n < 200; n++) {
      term *= -x * x / n;
      sum += term / (2 * n + 1);
    }
    return 2 / Math.sqrt(Math.PI) * sum;
  }
}
