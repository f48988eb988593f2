package dev.llama.cli;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.Map;
import picocli.CommandLine.Option;

/** Options that every command has. */
final class CommonOptions {
  /** How results are written. */
  enum Format {
    TEXT,
    JSON
  }

  @Option(
      names = "--format",
      paramLabel = "FORMAT",
      defaultValue = "TEXT",
      description = "text or json (default: text).")
  private Format format;

  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      description = "Show this help.")
  private boolean help;

  boolean isJson() {
    return format == Format.JSON;
  }

  /** Prints results: as JSON, or as a table of names and values. */
  void print(Streams io, JsonObject results) {
    if (isJson()) {
      Json.print(io, results);
      return;
    }
    Table table = new Table("ll");
    for (Map.Entry<String, JsonElement> result : results.entrySet()) {
      String text = result.getValue().isJsonNull() ? "none" : result.getValue().getAsString();
      boolean fraction = text.matches("-?\\d+\\.\\d+(E-?\\d+)?");
      table.row(
          result.getKey().replace('_', ' '),
          fraction ? Units.decimals(result.getValue().getAsDouble(), 4) : text);
    }
    table.print(io.out());
    io.flush();
  }
}
