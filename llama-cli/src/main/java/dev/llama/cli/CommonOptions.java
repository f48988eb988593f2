package dev.llama.cli;

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
}
