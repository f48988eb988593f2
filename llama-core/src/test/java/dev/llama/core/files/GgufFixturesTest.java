package dev.llama.core.files;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.DType;
import dev.llama.ModelConfig;
import dev.llama.RopeScaling;
import dev.llama.spi.TensorData;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** GGUF files by llama.cpp's tools are read as its own reader reads them. */
class GgufFixturesTest {
  static List<String> files() {
    if (!Fixtures.present()) {
      return List.of(Fixtures.ABSENT);
    }
    List<String> files = new ArrayList<>();
    for (String folder : new String[] {"gguf/", "stories260K/gguf/"}) {
      goldens(folder).keySet().forEach(name -> files.add(folder + name));
    }
    return files;
  }

  private static Map<?, ?> goldens(String folder) {
    return (Map<?, ?>) Fixtures.json(folder + "expected.json").get("files");
  }

  @ParameterizedTest
  @MethodSource("files")
  void tensorsAreThoseOfTheReference(String name) {
    Path path = Fixtures.path(name);
    int slash = name.lastIndexOf('/') + 1;
    Map<?, ?> golden = (Map<?, ?>) goldens(name.substring(0, slash)).get(name.substring(slash));
    List<?> expected = (List<?>) golden.get("tensors");
    try (GgufFile file = GgufFile.open(path)) {
      assertEquals(expected.size(), file.tensors().size());
      for (Object element : expected) {
        check(file, (Map<?, ?>) element);
      }
    }
  }

  private static void check(GgufFile file, Map<?, ?> expected) {
    String gguf = (String) expected.get("name");
    String name = GgufNames.toLayerName(gguf).orElse(gguf);
    TensorData tensor = file.find(name).orElseThrow();
    assertEquals(expected.get("type"), tensor.type().name(), name);
    assertArrayEquals(
        ((List<?>) expected.get("shape")).stream().mapToLong(n -> (Long) n).toArray(),
        tensor.shape(),
        name);
    assertEquals(expected.get("bytes"), tensor.byteSize(), name);
    assertEquals(expected.get("offset"), ((MappedTensor) tensor).start(), name);
    float[] values = floats(tensor);
    if (values.length == 0) {
      return;
    }
    List<?> first = (List<?>) expected.get("first");
    List<?> last = (List<?>) expected.get("last");
    for (int i = 0; i < first.size(); i++) {
      assertEquals(float32(first.get(i)), values[i], name);
      assertEquals(float32(last.get(i)), values[values.length - last.size() + i], name);
    }
    double sum = 0;
    double absolute = 0;
    for (float value : values) {
      sum += value;
      absolute += Math.abs(value);
    }
    double expectedAbsolute = ((Number) expected.get("sum_abs")).doubleValue();
    assertEquals(expectedAbsolute, absolute, 1e-9 * expectedAbsolute, name);
    assertEquals(((Number) expected.get("sum")).doubleValue(), sum, 1e-9 * expectedAbsolute, name);
  }

  private static float float32(Object number) {
    return Float.parseFloat(String.valueOf(number));
  }

  /** Values of the types that need no backend; empty for the others. */
  private static float[] floats(TensorData tensor) {
    ByteBuffer bytes = tensor.bytes(0, Math.toIntExact(tensor.byteSize()));
    int elements =
        Math.toIntExact(
            tensor.byteSize() / tensor.type().blockBytes() * tensor.type().blockElements());
    float[] values = new float[elements];
    switch (tensor.type()) {
      case F32 -> bytes.asFloatBuffer().get(values);
      case F16 -> {
        for (int i = 0; i < elements; i++) {
          values[i] = half(bytes.getShort());
        }
      }
      case Q8_0 -> {
        float scale = 0;
        for (int i = 0; i < elements; i++) {
          scale = i % DType.Q8_0.blockElements() == 0 ? half(bytes.getShort()) : scale;
          values[i] = scale * bytes.get();
        }
      }
      default -> {
        return new float[0];
      }
    }
    return values;
  }

  private static float half(short bits) {
    int exponent = bits >> 10 & 0x1F;
    int fraction = bits & 0x3FF;
    float magnitude =
        exponent == 0 ? fraction * 0x1p-24f : Math.scalb(1 + fraction * 0x1p-10f, exponent - 15);
    return bits < 0 ? -magnitude : magnitude;
  }

  /** The configuration of a GGUF file is that of the equivalent Hugging Face folder. */
  @ParameterizedTest
  @ValueSource(strings = {"rows256-Q4_K_M.gguf", "rows256-Q6_K.gguf", "llama-bpe-F16.gguf"})
  void configIsTheEquivalentOne(String name) {
    Map<?, ?> expected = (Map<?, ?>) ((Map<?, ?>) goldens("gguf/").get(name)).get("config");
    try (GgufFile file = GgufFile.open(Fixtures.path("gguf/" + name))) {
      ModelConfig config = file.config();
      assertEquals(expected.get("vocab_size"), (long) config.vocabSize());
      assertEquals(expected.get("hidden_size"), (long) config.hiddenSize());
      assertEquals(expected.get("intermediate_size"), (long) config.intermediateSize());
      assertEquals(expected.get("num_hidden_layers"), (long) config.numHiddenLayers());
      assertEquals(expected.get("num_attention_heads"), (long) config.numAttentionHeads());
      assertEquals(expected.get("num_key_value_heads"), (long) config.numKeyValueHeads());
      assertEquals(expected.get("max_position_embeddings"), (long) config.maxPositionEmbeddings());
      assertEquals(expected.get("rms_norm_eps"), config.rmsNormEps());
      assertEquals(expected.get("tie_word_embeddings"), config.tieWordEmbeddings());
      assertEquals(expected.get("bos_token_id"), (long) config.bosTokenId().getAsInt());
      assertEquals(expected.get("eos_token_id"), (long) config.eosTokenIds().get(0));
      WeightCheck.check(file.path(), config.layers(), file);
      assertRope(expected, config);
    }
  }

  /** rope_freqs.weight is what the rope_scaling of llama3 divides the frequencies by. */
  private static void assertRope(Map<?, ?> expected, ModelConfig config) {
    Object theta = expected.get("rope_theta");
    if (theta != null) {
      assertEquals(((Number) theta).doubleValue(), config.ropeTheta());
    }
    if (!(expected.get("rope_scaling") instanceof Map<?, ?> llama3)) {
      assertEquals(new RopeScaling.None(), config.ropeScaling());
      return;
    }
    List<Float> divisors = ((RopeScaling.Factors) config.ropeScaling()).divisors();
    assertEquals(config.headDim() / 2, divisors.size());
    assertEquals(1f, divisors.get(0));
    assertEquals(
        ((Number) llama3.get("factor")).floatValue(), divisors.get(divisors.size() - 1), 1e-5f);
  }

  @ParameterizedTest
  @ValueSource(strings = {"F32", "F16", "Q8_0", "Q4_0"})
  void storiesIsACompleteTiedModel(String type) {
    Path path = Fixtures.path("stories260K/gguf/stories260K-" + type + ".gguf");
    try (GgufFile file = GgufFile.open(path)) {
      ModelConfig config = file.config();
      assertTrue(config.tieWordEmbeddings());
      assertEquals(1e-5, config.rmsNormEps());
      assertEquals(8, config.headDim());
      WeightCheck.check(path, config.layers(), file);
    }
  }

  @Test
  void metadataOfEveryTypeAreThoseOfTheWriter() {
    try (GgufFile file = GgufFile.open(Fixtures.path("stories260K/gguf/stories260K-F16.gguf"))) {
      Map<String, Object> metadata = file.metadata();
      assertEquals(new BigInteger("9223372036854775813"), metadata.get("fixture.u64"));
      assertEquals(-4611686018427387904L, metadata.get("fixture.i64"));
      assertEquals(-30000L, metadata.get("fixture.i16"));
      assertEquals(-2.25e-300, metadata.get("fixture.f64"));
      assertEquals(List.of("a", "", "\u4f60\u597d"), metadata.get("fixture.words"));
      assertEquals(512, ((List<?>) metadata.get("tokenizer.ggml.tokens")).size());
      assertEquals(512, ((float[]) metadata.get("tokenizer.ggml.scores")).length);
      assertEquals(512, ((int[]) metadata.get("tokenizer.ggml.token_type")).length);
    }
  }
}
