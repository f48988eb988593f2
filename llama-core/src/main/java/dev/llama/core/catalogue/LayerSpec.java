package dev.llama.core.catalogue;

import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.Layer;
import dev.llama.Model;
import dev.llama.ModelConfig;
import dev.llama.core.json.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/**
 * A layer-spec: the JSON file in which planning tools describe a model by its types of layers.
 * Immutable, and valid: whatever way it is made, its sizes agree.
 *
 * @param modelId name of the file without {@code .json}: {@code hfModelId} with {@code /} as {@code
 *     _}
 * @param hfModelId the model on Hugging Face, for instance {@code meta-llama/Llama-3.2-1B}
 * @param name what people call the model
 * @param hiddenSize width of the residual stream
 * @param numLayers number of blocks
 * @param vocabSize number of token ids
 * @param totalParams number of parameters; equal to the sum over the layer types if each lists its
 *     own ({@link LayerType#listedParameters()}), else as the file says
 * @param totalParamsFormatted the same for people, for instance {@code 1.2B}
 * @param layerTypes the types of layers, each with a name of its own
 * @param validated whether someone has compared the file with the model
 * @param validationNotes what they say about it
 * @param unknownFields fields that this library does not know, as parsed
 */
public record LayerSpec(
    String modelId,
    String hfModelId,
    String name,
    int hiddenSize,
    int numLayers,
    int vocabSize,
    long totalParams,
    String totalParamsFormatted,
    List<LayerType> layerTypes,
    boolean validated,
    Optional<String> validationNotes,
    Map<String, Object> unknownFields) {

  /** Largest file that is read; those of published models have 2,000 bytes. */
  static final int MAX_BYTES = 1 << 18;

  /** How the names of files end. */
  static final String EXTENSION = ".json";

  /**
   * Checks that everything agrees.
   *
   * @throws InvalidInputException with all faults, each with its place in the JSON
   */
  public LayerSpec(
      String modelId,
      String hfModelId,
      String name,
      int hiddenSize,
      int numLayers,
      int vocabSize,
      long totalParams,
      String totalParamsFormatted,
      List<LayerType> layerTypes,
      boolean validated,
      Optional<String> validationNotes,
      Map<String, Object> unknownFields) {
    this.modelId = modelId;
    this.hfModelId = hfModelId;
    this.name = name;
    this.hiddenSize = hiddenSize;
    this.numLayers = numLayers;
    this.vocabSize = vocabSize;
    this.totalParams = totalParams;
    this.totalParamsFormatted = totalParamsFormatted;
    this.layerTypes = List.copyOf(layerTypes);
    this.validated = validated;
    this.validationNotes = validationNotes;
    this.unknownFields = Collections.unmodifiableMap(new LinkedHashMap<>(unknownFields));
    List<String> faults = SpecCheck.faults(toMap());
    if (!faults.isEmpty()) {
      throw new InvalidInputException("layer-spec: " + String.join("; ", faults));
    }
  }

  /**
   * Reads a layer-spec.
   *
   * @param file named as its model_id, with {@code .json}
   * @return the layer-spec
   * @throws FormatException if the file is missing, no JSON, or wrong; it names all faults at once,
   *     each with its place, for instance {@code layer_types[2].specs.hidden_size}
   */
  public static LayerSpec read(Path file) {
    return SpecReader.read(file);
  }

  /**
   * Describes a model.
   *
   * @param config the architecture
   * @param hfModelId the model on Hugging Face, or what else names it, for instance {@code
   *     meta-llama/Llama-3.2-1B}
   * @param name what people call the model
   * @return its layers, grouped by type, with their numbers of parameters. A tied output has no
   *     entry; another one is an embedding named {@code lm_head}
   * @throws InvalidInputException if no file can be named after {@code hfModelId}
   */
  public static LayerSpec of(ModelConfig config, String hfModelId, String name) {
    Map<String, Layer> first = new LinkedHashMap<>();
    for (String type : List.of("attention", "feedforward", "norm", "embedding", "lm_head")) {
      first.put(type, null); // the order of the entries
    }
    Map<String, Integer> counts = new LinkedHashMap<>();
    for (Layer layer : config.layers()) {
      Layer entry = entry(layer);
      if (entry != null) {
        first.put(entry.name(), entry);
        counts.merge(entry.name(), 1, Integer::sum);
      }
    }
    List<LayerType> types = new ArrayList<>();
    first.forEach(
        (type, layer) -> {
          if (layer != null) {
            types.add(new LayerType(layer, counts.get(type)));
          }
        });
    long total = config.parameterCount();
    return new LayerSpec(
        hfModelId.replace('/', '_'),
        hfModelId,
        name,
        config.hiddenSize(),
        config.numHiddenLayers(),
        config.vocabSize(),
        total,
        formatted(total),
        types,
        true,
        Optional.of("derived from the model's config.json"),
        Map.of());
  }

  /** A layer under the name of its type; null for an output that uses the embedding's matrix. */
  private static Layer entry(Layer layer) {
    if (layer instanceof Layer.LmHead head) {
      return head.tied()
          ? null
          : new Layer.Embedding("lm_head", head.vocabSize(), head.hiddenSize());
    }
    LayerClass layerClass = LayerClass.of(layer);
    String type =
        layerClass.isAttention()
            ? "attention"
            : layerClass.isMlp()
                ? "feedforward"
                : layerClass == LayerClass.NORM ? "norm" : "embedding";
    return LayerClass.renamed(type, layer);
  }

  /**
   * Returns the architecture of a decoder with these layers. What a layer-spec does not say has the
   * default that it has in a config.json: rope_theta 10000 without scaling, rms_norm_eps 1e-6, 2048
   * positions, initializer_range 0.02, no sliding window, no special tokens. One embedding matrix
   * is input and tied output; a second one is the output. Norms come before attention and MLP, and
   * at the end, whatever their count.
   *
   * @return the architecture, for {@link Model#create(ModelConfig, long)}
   * @throws InvalidInputException if the layers make no such decoder: a kind is missing, or its
   *     layers differ, or {@code head_dim} is odd
   */
  public ModelConfig toConfig() {
    return SpecToConfig.convert(this);
  }

  /**
   * Returns the number of parameters by the layers' sizes, whatever {@link #totalParams()} says.
   *
   * @return sum over the layer types
   */
  public long parameterCount() {
    long sum = 0;
    for (LayerType type : layerTypes) {
      sum = Math.addExact(sum, type.parameterCount());
    }
    return sum;
  }

  /**
   * Returns the layer-spec as JSON.
   *
   * @return text that {@link #read(Path)} reads back equal, ends with a line feed
   * @throws InvalidInputException if an unknown field holds what JSON cannot express
   */
  public String toJson() {
    return Json.write(toMap());
  }

  /**
   * Writes the layer-spec. Readers see the old file or the new one, never a part of it.
   *
   * @param file named {@link #modelId()} with {@code .json}; replaced if it exists
   * @throws InvalidInputException if the file has another name; nothing is written
   * @throws UncheckedIOException if it cannot be written; an older file is unchanged
   */
  public void write(Path file) {
    String expected = modelId + EXTENSION;
    if (file.getFileName() == null || !file.getFileName().toString().equals(expected)) {
      throw new InvalidInputException(
          "the file of a layer-spec is named after its model_id: got "
              + file
              + ", expected "
              + expected);
    }
    byte[] json = toJson().getBytes(StandardCharsets.UTF_8);
    if (json.length > MAX_BYTES) {
      throw new InvalidInputException(
          "the layer-spec has " + json.length + " bytes, expected at most " + MAX_BYTES);
    }
    Path temporary = file.resolveSibling("." + modelId + "." + UUID.randomUUID() + ".tmp");
    try {
      try (FileChannel channel =
          FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        ByteBuffer bytes = ByteBuffer.wrap(json);
        while (bytes.hasRemaining()) {
          channel.write(bytes);
        }
        channel.force(true); // else a crash may leave the new name with no content
      }
      Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      deleteQuietly(temporary, e);
      throw new UncheckedIOException(e);
    }
  }

  private static void deleteQuietly(Path file, IOException failure) {
    try {
      Files.deleteIfExists(file);
    } catch (IOException e) {
      failure.addSuppressed(e);
    }
  }

  /** 1235814400 is "1.2B". */
  static String formatted(long parameters) {
    String[] units = {"", "K", "M", "B", "T"};
    double value = parameters;
    int unit = 0;
    for (; value >= 999.95 && unit < units.length - 1; unit++) {
      value /= 1000;
    }
    return unit == 0
        ? Long.toString(parameters)
        : String.format(Locale.ROOT, "%.1f%s", value, units[unit]);
  }

  private Map<String, Object> toMap() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("model_id", modelId);
    json.put("hf_model_id", hfModelId);
    json.put("name", name);
    json.put("hidden_size", (long) hiddenSize);
    json.put("num_layers", (long) numLayers);
    json.put("vocab_size", (long) vocabSize);
    json.put("total_params", totalParams);
    json.put("total_params_formatted", totalParamsFormatted);
    List<Object> types = new ArrayList<>();
    layerTypes.forEach(type -> types.add(type.toMap()));
    json.put("layer_types", types);
    json.put("validated", validated);
    validationNotes.ifPresent(notes -> json.put("validation_notes", notes));
    unknownFields.forEach(json::putIfAbsent);
    return json;
  }
}
