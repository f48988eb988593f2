package dev.llama.train.data;

import dev.llama.InvalidInputException;

/**
 * Where a document of a text file ends. Line ends become line feeds; those around a document are
 * not part of it. A document of white space alone is passed over.
 *
 * @param kind what separates documents
 * @param separator with {@link Kind#SEPARATOR}: the line between two documents, otherwise empty
 */
public record DocumentRule(Kind kind, String separator) {
  /** What separates documents. */
  public enum Kind {
    /** One or more lines without text. */
    BLANK_LINE,
    /** Every line end. */
    LINE,
    /** Nothing: a file is one document. */
    FILE,
    /** A line that says so. */
    SEPARATOR
  }

  /** Checks the separator. */
  public DocumentRule {
    boolean isLine = !separator.isBlank() && separator.indexOf('\n') < 0;
    if (kind == Kind.SEPARATOR ? !isLine : !separator.isEmpty()) {
      throw new InvalidInputException(
          "separator of documents is \""
              + separator
              + "\", expected a line of text with rule SEPARATOR and nothing with the others");
    }
    separator = separator.strip();
  }

  /**
   * Documents end at a line without text.
   *
   * @return the rule
   */
  public static DocumentRule blankLine() {
    return new DocumentRule(Kind.BLANK_LINE, "");
  }

  /**
   * Every line is a document.
   *
   * @return the rule
   */
  public static DocumentRule line() {
    return new DocumentRule(Kind.LINE, "");
  }

  /**
   * Every file is a document.
   *
   * @return the rule
   */
  public static DocumentRule file() {
    return new DocumentRule(Kind.FILE, "");
  }

  /**
   * Documents end at a line that consists of a text, white space around it aside.
   *
   * @param line for instance {@code <|endoftext|>}
   * @return the rule
   */
  public static DocumentRule separator(String line) {
    return new DocumentRule(Kind.SEPARATOR, line);
  }
}
