package dev.llama.cli;

import dev.llama.ModelConfig;
import dev.llama.Tokenizer;
import dev.llama.train.data.DataFormat;
import dev.llama.train.data.DataOptions;
import dev.llama.train.data.Dataset;
import dev.llama.train.data.DocumentRule;
import dev.llama.train.data.FastaOptions;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;

/** Options that say how documents are read from files. */
final class DataChoice {
  @Option(
      names = "--data-format",
      paramLabel = "FORMAT",
      description = "text, jsonl or fasta (default: by each file's name, else text).")
  private Format format;

  @Option(
      names = "--documents",
      paramLabel = "RULE",
      description =
          "A text document ends at a blank line, a line's end or the file's end: blank,"
              + " line or file (default: blank).")
  private Rule rule;

  @Option(
      names = "--separator",
      paramLabel = "TEXT",
      description = "A text document ends at a line that consists of this.")
  private String separator;

  @Option(
      names = "--json-field",
      paramLabel = "NAME",
      description = "The field of a JSON line that holds the document (default: text).")
  private String jsonField;

  @Option(
      names = "--window",
      paramLabel = "N",
      description = "FASTA records are cut into documents of N residues (default: 8192).")
  private Integer window;

  @Option(
      names = "--letter-case",
      paramLabel = "CASE",
      description = "FASTA: upper makes all letters upper-case, keep keeps them (default: upper).")
  private FastaOptions.Case letterCase;

  @Option(
      names = "--gaps",
      paramLabel = "RULE",
      description =
          "FASTA: runs of N split documents, are kept, or dropped: split, keep or drop"
              + " (default: split). Keep them in proteins, where N is asparagine.")
  private FastaOptions.Gaps gaps;

  /** Formats by the names that people know. */
  private enum Format {
    TEXT(DataFormat.TEXT),
    JSONL(DataFormat.JSON_LINES),
    FASTA(DataFormat.FASTA);

    private final DataFormat format;

    Format(DataFormat format) {
      this.format = format;
    }
  }

  /** Rules without a parameter. */
  private enum Rule {
    BLANK(DocumentRule.blankLine()),
    LINE(DocumentRule.line()),
    FILE(DocumentRule.file());

    private final DocumentRule rule;

    Rule(DocumentRule rule) {
      this.rule = rule;
    }
  }

  /** Turns the options into those of the library; wrong values are wrong usage. */
  DataOptions options(List<Path> files, CommandSpec spec) {
    CommandLine command = spec.commandLine();
    if (rule != null && separator != null) {
      throw new ParameterException(command, "--documents and --separator exclude each other");
    }
    DataOptions options = DataOptions.of(files);
    options = format == null ? options : options.format(format.format);
    options = rule == null ? options : options.documents(rule.rule);
    if (separator != null) {
      DocumentRule line =
          ModelChoice.checked(command, "--separator", () -> DocumentRule.separator(separator));
      options = options.documents(line);
    }
    FastaOptions fasta = options.fasta();
    fasta = letterCase == null ? fasta : fasta.letterCase(letterCase);
    fasta = gaps == null ? fasta : fasta.gaps(gaps);
    if (window != null) {
      FastaOptions before = fasta;
      fasta = ModelChoice.checked(command, "--window", () -> before.window(window));
    }
    DataOptions all = options.fasta(fasta);
    return jsonField == null
        ? all
        : ModelChoice.checked(command, "--json-field", () -> all.jsonField(jsonField));
  }

  /**
   * Opens data whose documents begin and end with the tokenizer's tokens or, where it has none, as
   * a vocabulary of bytes, with those of the configuration.
   */
  static Dataset open(DataOptions options, Tokenizer tokenizer, ModelConfig config) {
    OptionalInt begin = tokenizer.bos().isPresent() ? tokenizer.bos() : config.bosTokenId();
    OptionalInt end =
        tokenizer.eos().isPresent() || config.eosTokenIds().isEmpty()
            ? tokenizer.eos()
            : OptionalInt.of(config.eosTokenIds().get(0));
    return Dataset.open(options, tokenizer, begin, end);
  }
}
