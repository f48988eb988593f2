package dev.llama.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.llama.ModelConfig;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What a model is, from its configuration alone. */
@Command(
    name = "inspect",
    description = {
      "Explains a model: its configuration, layers, parameters and memory.",
      "",
      "Reads the configuration alone; the weights need not be there. For a published model the"
          + " name will do: see 'llama presets'. A file or folder of that name comes first."
    },
    customSynopsis = "llama inspect [OPTION]... PATH",
    sortOptions = false,
    parameterListHeading = "%nModel:%n",
    optionListHeading = "%nOptions:%n",
    footerHeading = "%nExamples:%n",
    footer = {
      "  llama inspect Llama-3.2-1B-Instruct",
      "  llama inspect config.json --format json",
      "  llama inspect model.gguf",
      "  llama inspect llama-3.1-405b"
    })
final class InspectCommand implements Callable<Integer> {
  private final Streams io;

  @ArgGroup(multiplicity = "1")
  private Target target;

  @Mixin private CommonOptions common;

  InspectCommand(Streams io) {
    this.io = io;
  }

  /** The model, by position or, as in the other commands, by name. */
  static final class Target {
    @Parameters(
        index = "0",
        paramLabel = "PATH",
        description = "Model folder, config.json, .gguf file, or the name of a preset.")
    private Path path;

    @Option(
        names = {"-m", "--model"},
        paramLabel = "PATH",
        description = "The same.")
    private Path model;
  }

  @Override
  public Integer call() throws IOException {
    Path path = target.path != null ? target.path : target.model;
    ModelConfig config = Architecture.of(path);
    List<ConfigField> fields = ConfigField.of(config);
    List<LayerGroup> groups = LayerGroup.of(config.layers());
    Memory memory = Memory.of(config);
    OptionalLong stored = Weights.storedBytes(path);
    if (common.isJson()) {
      json(path, config, fields, groups, memory, stored);
    } else {
      text(path, config, fields, groups, memory, stored);
    }
    return 0;
  }

  private void text(
      Path path,
      ModelConfig config,
      List<ConfigField> fields,
      List<LayerGroup> groups,
      Memory memory,
      OptionalLong stored) {
    io.out().println(path + ": " + Units.parameters(config.parameterCount()) + " parameters");
    io.out().println();
    io.out().println("Configuration");
    Table table = new Table("lll");
    fields.forEach(field -> table.row(field.name(), field.value(), field.meaning()));
    table.print(io.out());

    io.out().println();
    io.out().println("Layers");
    Table layers = new Table("rlllrr").row("", "layer", "kind", "sizes", "parameters", "in all");
    for (LayerGroup group : groups) {
      layers.row(
          group.count() + " x",
          group.name(),
          group.kind(),
          group.sizes(),
          Units.grouped(group.parametersEach()),
          Units.grouped(group.parameters()));
    }
    layers.row("", "total", "", "", "", Units.grouped(config.parameterCount()));
    layers.print(io.out());

    io.out().println();
    io.out().println("Memory for weights, by the type that matrices are stored in");
    Table weights = new Table("lr");
    memory.weights().forEach((type, bytes) -> weights.row(type, Units.bytes(bytes)));
    stored.ifPresent(bytes -> weights.row("files", Units.bytes(bytes)));
    weights.print(io.out());

    io.out().println();
    io.out().println("Memory for the KV cache of one session");
    Table cache = new Table("rrr").row("positions", "F32", "F16");
    for (Memory.Cache entry : memory.caches()) {
      cache.row(
          Units.grouped(entry.positions()), Units.bytes(entry.f32()), Units.bytes(entry.f16()));
    }
    cache.print(io.out());
    io.flush();
  }

  private void json(
      Path path,
      ModelConfig config,
      List<ConfigField> fields,
      List<LayerGroup> groups,
      Memory memory,
      OptionalLong stored) {
    JsonObject json = new JsonObject();
    json.addProperty("path", path.toString());
    json.addProperty("parameters", config.parameterCount());
    JsonArray fieldArray = new JsonArray();
    for (ConfigField field : fields) {
      JsonObject entry = new JsonObject();
      entry.addProperty("field", field.name());
      entry.addProperty("value", field.value());
      entry.addProperty("meaning", field.meaning());
      fieldArray.add(entry);
    }
    json.add("config", fieldArray);
    JsonArray layers = new JsonArray();
    groups.forEach(group -> layers.add(group.toJson()));
    json.add("layers", layers);
    JsonObject weights = new JsonObject();
    memory.weights().forEach((type, bytes) -> weights.addProperty(type.name(), bytes));
    json.add("weight_bytes", weights);
    stored.ifPresent(bytes -> json.addProperty("stored_bytes", bytes));
    JsonArray caches = new JsonArray();
    for (Memory.Cache entry : memory.caches()) {
      JsonObject cache = new JsonObject();
      cache.addProperty("positions", entry.positions());
      cache.addProperty("F32", entry.f32());
      cache.addProperty("F16", entry.f16());
      caches.add(cache);
    }
    json.add("kv_cache_bytes", caches);
    Json.print(io, json);
  }
}
