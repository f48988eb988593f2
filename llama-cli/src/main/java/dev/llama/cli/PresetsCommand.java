package dev.llama.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.llama.ModelConfig;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** The architectures that the library knows by name. */
@Command(
    name = "presets",
    description = {
      "Lists the published architectures that the library knows by name.",
      "",
      "'llama inspect NAME' explains one; 'llama bench -m NAME' measures it with random weights."
    },
    customSynopsis = "llama presets [OPTION]...",
    sortOptions = false,
    optionListHeading = "%nOptions:%n",
    footerHeading = "%nExamples:%n",
    footer = {"  llama presets", "  llama presets --format json"})
final class PresetsCommand implements Callable<Integer> {
  private final Streams io;
  @Mixin private CommonOptions common;

  PresetsCommand(Streams io) {
    this.io = io;
  }

  @Override
  public Integer call() {
    if (common.isJson()) {
      json();
    } else {
      text();
    }
    return 0;
  }

  private void text() {
    Table table =
        new Table("lrrrrrr")
            .row("name", "parameters", "layers", "hidden", "heads/kv", "context", "vocabulary");
    for (String name : ModelConfig.presets()) {
      ModelConfig config = ModelConfig.preset(name);
      table.row(
          name,
          Units.grouped(config.parameterCount()),
          config.numHiddenLayers(),
          config.hiddenSize(),
          config.numAttentionHeads() + "/" + config.numKeyValueHeads(),
          config.contextLength(),
          config.vocabSize());
    }
    table.print(io.out());
    io.flush();
  }

  private void json() {
    JsonArray presets = new JsonArray();
    for (String name : ModelConfig.presets()) {
      ModelConfig config = ModelConfig.preset(name);
      JsonObject entry = new JsonObject();
      entry.addProperty("name", name);
      entry.addProperty("parameters", config.parameterCount());
      entry.addProperty("num_hidden_layers", config.numHiddenLayers());
      entry.addProperty("hidden_size", config.hiddenSize());
      entry.addProperty("intermediate_size", config.intermediateSize());
      entry.addProperty("num_attention_heads", config.numAttentionHeads());
      entry.addProperty("num_key_value_heads", config.numKeyValueHeads());
      entry.addProperty("head_dim", config.headDim());
      entry.addProperty("context_length", config.contextLength());
      entry.addProperty("vocab_size", config.vocabSize());
      presets.add(entry);
    }
    JsonObject json = new JsonObject();
    json.add("presets", presets);
    Json.print(io, json);
  }
}
