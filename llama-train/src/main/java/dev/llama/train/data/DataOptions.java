package dev.llama.train.data;

import dev.llama.InvalidInputException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Which files to train on, and how to read them.
 *
 * @param files files and folders. Of a folder, and those inside it, every file whose name says its
 *     format ({@link DataFormat#of}) and does not begin with a dot, in the order of their names
 * @param format of all files; absent: by each file's name, and text where that does not say
 * @param documents where documents of text files end
 * @param jsonField the field of a JSON line that holds the document
 * @param fasta how FASTA records become documents
 * @param validationFraction share of the documents that is kept for validation, 0 to below 1. A
 *     document's content decides, so that the same text is always on the same side
 * @param validationFiles files and folders for validation, instead of a share
 * @param seed of the order of documents
 * @param shuffle whether training documents come in random order, another one in each pass
 */
public record DataOptions(
    List<Path> files,
    Optional<DataFormat> format,
    DocumentRule documents,
    String jsonField,
    FastaOptions fasta,
    double validationFraction,
    List<Path> validationFiles,
    long seed,
    boolean shuffle) {

  /** Checks the values. */
  public DataOptions {
    files = List.copyOf(files);
    validationFiles = List.copyOf(validationFiles);
    if (files.isEmpty()) {
      throw new InvalidInputException("no files to train on; name files or folders");
    }
    if (!(validationFraction >= 0 && validationFraction < 1)) {
      throw new InvalidInputException(
          "validation fraction " + validationFraction + ", expected 0 to below 1");
    }
    if (validationFraction > 0 && !validationFiles.isEmpty()) {
      throw new InvalidInputException(
          "validation fraction "
              + validationFraction
              + " and validation files "
              + validationFiles
              + ", expected one of the two");
    }
    if (jsonField.isEmpty()) {
      throw new InvalidInputException("the JSON field's name is empty, expected \"text\" or so");
    }
  }

  /**
   * Everything from the files, shuffled with seed 0, nothing for validation.
   *
   * @param files files and folders
   * @return options
   */
  public static DataOptions of(List<Path> files) {
    return new DataOptions(
        files,
        Optional.empty(),
        DocumentRule.blankLine(),
        "text",
        FastaOptions.defaults(),
        0,
        List.of(),
        0,
        true);
  }

  /**
   * Sets the format of all files.
   *
   * @param newFormat whatever their names say
   * @return changed options
   */
  public DataOptions format(DataFormat newFormat) {
    return new DataOptions(
        files,
        Optional.of(newFormat),
        documents,
        jsonField,
        fasta,
        validationFraction,
        validationFiles,
        seed,
        shuffle);
  }

  /**
   * Sets where documents of text files end.
   *
   * @param rule what separates them
   * @return changed options
   */
  public DataOptions documents(DocumentRule rule) {
    return new DataOptions(
        files, format, rule, jsonField, fasta, validationFraction, validationFiles, seed, shuffle);
  }

  /**
   * Sets the field of a JSON line that holds the document.
   *
   * @param name of a field of the outermost object
   * @return changed options
   */
  public DataOptions jsonField(String name) {
    return new DataOptions(
        files, format, documents, name, fasta, validationFraction, validationFiles, seed, shuffle);
  }

  /**
   * Sets how FASTA records become documents.
   *
   * @param options window, case and gaps
   * @return changed options
   */
  public DataOptions fasta(FastaOptions options) {
    return new DataOptions(
        files,
        format,
        documents,
        jsonField,
        options,
        validationFraction,
        validationFiles,
        seed,
        shuffle);
  }

  /**
   * Keeps a share of the documents for validation.
   *
   * @param fraction 0 to below 1
   * @return changed options
   */
  public DataOptions validationFraction(double fraction) {
    return new DataOptions(
        files, format, documents, jsonField, fasta, fraction, validationFiles, seed, shuffle);
  }

  /**
   * Sets the files for validation.
   *
   * @param paths files and folders
   * @return changed options
   */
  public DataOptions validationFiles(List<Path> paths) {
    return new DataOptions(
        files, format, documents, jsonField, fasta, validationFraction, paths, seed, shuffle);
  }

  /**
   * Sets the seed of the order.
   *
   * @param newSeed any number
   * @return changed options
   */
  public DataOptions seed(long newSeed) {
    return new DataOptions(
        files,
        format,
        documents,
        jsonField,
        fasta,
        validationFraction,
        validationFiles,
        newSeed,
        shuffle);
  }

  /**
   * Sets whether training documents come in random order.
   *
   * @param random false: in the order of the files, in every pass
   * @return changed options
   */
  public DataOptions shuffle(boolean random) {
    return new DataOptions(
        files,
        format,
        documents,
        jsonField,
        fasta,
        validationFraction,
        validationFiles,
        seed,
        random);
  }
}
