package dev.llama.train.data;

import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/** How documents are stored in a file. Any of them may be compressed by gzip ({@code .gz}). */
public enum DataFormat {
  /** Plain text in UTF-8; {@link DocumentRule} says where a document ends. */
  TEXT(Set.of("txt", "text", "md")),

  /** A JSON object on every line; one of its fields is the document. */
  JSON_LINES(Set.of("jsonl", "ndjson")),

  /** Sequences of nucleotides or amino acids, each behind a line that begins with {@code >}. */
  FASTA(Set.of("fa", "fasta", "fna", "ffn", "faa", "frn"));

  private final Set<String> extensions;

  DataFormat(Set<String> extensions) {
    this.extensions = extensions;
  }

  /**
   * Tells the format from the end of a file's name.
   *
   * @param file any path; {@code .gz} at its end is passed over
   * @return empty if the name does not say
   */
  public static Optional<DataFormat> of(Path file) {
    String name = file.getFileName().toString().toLowerCase(Locale.ROOT);
    if (isCompressed(file)) {
      name = name.substring(0, name.length() - ".gz".length());
    }
    String extension = name.substring(name.lastIndexOf('.') + 1);
    for (DataFormat format : values()) {
      if (format.extensions.contains(extension)) {
        return Optional.of(format);
      }
    }
    return Optional.empty();
  }

  static boolean isCompressed(Path file) {
    return file.getFileName().toString().toLowerCase(Locale.ROOT).endsWith(".gz");
  }
}
