package dev.llama;

import java.nio.file.Path;
import java.nio.file.Paths;

/**
 * A file is missing, broken, or asks for something that this library does not implement. Nothing of
 * the file has been kept.
 */
public class FormatException extends LlamaException {
  private static final long serialVersionUID = 1L;

  /** The text form of the path: exceptions are serializable, paths are not. */
  private final String file;

  /**
   * Creates an exception whose message starts with the file.
   *
   * @param file the file or folder at fault
   * @param problem the value found, the value expected, and the cure
   */
  public FormatException(Path file, String problem) {
    this(file, problem, null);
  }

  /**
   * Creates an exception whose message starts with the file.
   *
   * @param file the file or folder at fault
   * @param problem the value found, the value expected, and the cure
   * @param cause the underlying failure, or {@code null}
   */
  public FormatException(Path file, String problem, Throwable cause) {
    super(file + ": " + problem, cause);
    this.file = file.toString();
  }

  /**
   * Returns the file or folder at fault.
   *
   * @return the path as it was given to the library
   */
  public Path file() {
    return Paths.get(file);
  }
}
