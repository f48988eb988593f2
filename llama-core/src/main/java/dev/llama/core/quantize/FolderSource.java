package dev.llama.core.quantize;

import dev.llama.DType;
import dev.llama.FormatException;
import dev.llama.Layer;
import dev.llama.ModelConfig;
import dev.llama.RopeScaling;
import dev.llama.core.config.ConfigReader;
import dev.llama.core.config.GenerationConfigReader;
import dev.llama.core.config.RopeFrequencies;
import dev.llama.core.files.Checkpoint;
import dev.llama.core.files.GgufNames;
import dev.llama.core.files.GgufWriter;
import dev.llama.core.files.TensorSource;
import dev.llama.core.files.WeightCheck;
import dev.llama.core.tokenizer.TokenizerFiles;
import dev.llama.spi.TensorData;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * A folder in Hugging Face's layout. Query and key rows are brought into GGUF's order, in which the
 * two elements that are rotated together are neighbours.
 */
final class FolderSource implements Source {
  private static final String PREFIX = "llama.";

  private final Path path;
  private final TensorSource tensors;
  private final ModelConfig config;
  private final Optional<Map<String, Object>> vocabulary;
  private final List<Item> items = new ArrayList<>();

  private FolderSource(Path path, ModelConfig config, TensorSource tensors) {
    this.path = path;
    this.config = config;
    this.tensors = tensors;
    refuseWhatGgufLacks();
    WeightCheck.check(path, config.layers(), tensors);
    vocabulary = TokenizerFiles.ggufMetadata(path);
    for (Layer layer : config.layers()) {
      for (Layer.Weight weight : layer.weights()) {
        String name = weight.name();
        boolean rotated = name.contains(".q_proj.") || name.contains(".k_proj.");
        TensorData data = tensors.tensors().get(name);
        items.add(new Item(GgufNames.toGgufName(name), data, rotated ? config.headDim() : 0));
      }
    }
    if (config.ropeScaling() instanceof RopeScaling.Llama3) {
      items.add(new Item("rope_freqs.weight", ropeFactors(), 0));
    }
  }

  /** Opens a folder. */
  static Source open(Path path) {
    Path file = path.resolve("config.json");
    if (!Files.isDirectory(path) || !Files.exists(file)) {
      throw new FormatException(
          path,
          (Files.exists(path) ? "is no model" : "there is no such file or folder")
              + "; expected a folder with config.json and safetensors weights, or a .gguf file");
    }
    ModelConfig config = ConfigReader.read(file);
    TensorSource tensors = Checkpoint.open(path);
    try {
      return new FolderSource(path, config, tensors);
    } catch (RuntimeException | Error e) {
      tensors.close();
      throw e;
    }
  }

  private void refuseWhatGgufLacks() {
    String what = null;
    if (config.ropeScaling() instanceof RopeScaling.Dynamic) {
      what = "rope_scaling dynamic";
    } else if (!config.mlpType().equals("gated")) {
      what = "mlp_type " + config.mlpType();
    } else if (config.normType() != Layer.NormKind.RMS_NORM) {
      what = "norm_type " + config.normType();
    }
    if (what != null) {
      throw new FormatException(
          path, what + " has no form in a GGUF file; expected what published Llamas have");
    }
  }

  @Override
  public void describe(GgufWriter writer) {
    writer.put("general.architecture", "llama");
    writer.put("general.type", "model");
    writer.put("general.name", String.valueOf(path.toAbsolutePath().normalize().getFileName()));
    writer.put(PREFIX + "block_count", config.numHiddenLayers());
    writer.put(PREFIX + "context_length", config.maxPositionEmbeddings());
    writer.put(PREFIX + "embedding_length", config.hiddenSize());
    writer.put(PREFIX + "feed_forward_length", config.intermediateSize());
    writer.put(PREFIX + "attention.head_count", config.numAttentionHeads());
    writer.put(PREFIX + "attention.head_count_kv", config.numKeyValueHeads());
    if (config.headDim() * config.numAttentionHeads() != config.hiddenSize()) {
      writer.put(PREFIX + "attention.key_length", config.headDim());
      writer.put(PREFIX + "attention.value_length", config.headDim());
    }
    writer.put(PREFIX + "attention.layer_norm_rms_epsilon", (float) config.rmsNormEps());
    config
        .slidingWindow()
        .ifPresent(window -> writer.put(PREFIX + "attention.sliding_window", window));
    writer.put(PREFIX + "rope.dimension_count", config.headDim());
    writer.put(PREFIX + "rope.freq_base", (float) config.ropeTheta());
    ropeScaling(writer);
    writer.put(PREFIX + "vocab_size", config.vocabSize());
    Vocabulary.write(path, config, vocabulary.orElse(Map.of()), stopTokens(), writer);
  }

  private void ropeScaling(GgufWriter writer) {
    String prefix = PREFIX + "rope.scaling.";
    if (config.ropeScaling() instanceof RopeScaling.Linear linear) {
      writer.put(prefix + "type", "linear");
      writer.put(prefix + "factor", (float) linear.factor());
    } else if (config.ropeScaling() instanceof RopeScaling.Yarn yarn) {
      writer.put(prefix + "type", "yarn");
      writer.put(prefix + "factor", (float) yarn.factor());
      writer.put(prefix + "original_context_length", yarn.originalMaxPositionEmbeddings());
      // Readers multiply what YaRN's paper says by this.
      double usual = 0.1 * Math.log(yarn.factor()) + 1;
      if (Math.abs(yarn.attentionFactor() / usual - 1) > 1e-6) {
        writer.put(prefix + "attn_factor", (float) (yarn.attentionFactor() / usual));
      }
      if (yarn.betaFast() != 32 || yarn.betaSlow() != 1) {
        writer.put(prefix + "yarn_beta_fast", (float) yarn.betaFast());
        writer.put(prefix + "yarn_beta_slow", (float) yarn.betaSlow());
      }
    }
  }

  private List<Integer> stopTokens() {
    List<Integer> ids = new ArrayList<>(config.eosTokenIds());
    GenerationConfigReader.find(path).ifPresent(found -> ids.addAll(found.eosTokenIds()));
    return ids;
  }

  /** What the base frequencies are divided by, as they are read from rope_freqs.weight. */
  private TensorData ropeFactors() {
    float[] scaled = RopeFrequencies.inverseFrequencies(config, 1);
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(scaled.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < scaled.length; i++) {
      double base = Math.pow(config.ropeTheta(), -2.0 * i / config.headDim());
      bytes.putFloat((float) (base / scaled[i]));
    }
    ((Buffer) bytes).flip();
    return new Vector("rope_freqs.weight", bytes);
  }

  @Override
  public Path path() {
    return path;
  }

  @Override
  public ModelConfig config() {
    return config;
  }

  @Override
  public List<Item> items() {
    return items;
  }

  @Override
  public void close() {
    tensors.close();
  }

  /** Floats that are in no file. */
  private record Vector(String name, ByteBuffer floats) implements TensorData {
    @Override
    public DType type() {
      return DType.F32;
    }

    @Override
    public long[] shape() {
      return new long[] {byteSize() / Float.BYTES};
    }

    @Override
    public long byteSize() {
      return floats.limit();
    }

    @Override
    public ByteBuffer bytes(long offset, int length) {
      Buffer view = floats.duplicate();
      view.limit((int) offset + length);
      view.position((int) offset);
      return ((ByteBuffer) view).slice().asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }
  }
}
