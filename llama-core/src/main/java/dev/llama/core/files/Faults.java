package dev.llama.core.files;

import dev.llama.FormatException;
import java.nio.file.Path;
import java.util.Locale;

/** Messages about broken files. */
final class Faults {
  /** Longest text out of a file that a message repeats. */
  private static final int MAX_QUOTED = 200;

  private Faults() {}

  /**
   * Returns an exception to throw.
   *
   * @param file at fault
   * @param problem format of the message: value found, value expected, cure
   * @param values of the format; long texts are shortened
   * @return the exception
   */
  static FormatException fault(Path file, String problem, Object... values) {
    Object[] shortened = new Object[values.length];
    for (int i = 0; i < values.length; i++) {
      shortened[i] = values[i] instanceof Number ? values[i] : shorten(String.valueOf(values[i]));
    }
    return new FormatException(file, String.format(Locale.ROOT, problem, shortened));
  }

  private static String shorten(String text) {
    return text.length() <= MAX_QUOTED
        ? text
        : text.substring(0, MAX_QUOTED) + "... (" + text.length() + " characters)";
  }
}
