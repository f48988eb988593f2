package dev.llama.tiktoken;

import java.util.Collection;
import java.util.Map;

/** Values out of files, for messages. */
final class Quote {
  private static final int MAX = 60;

  private Quote() {}

  /** Writes a value: a long text shortened, a collection by its size. */
  static String of(Object value) {
    if (value instanceof Map<?, ?> map) {
      return "an object of " + map.size() + " members";
    }
    if (value instanceof Collection<?> list) {
      return "an array of " + list.size() + " elements";
    }
    String text = String.valueOf(value);
    String shown = text.length() <= MAX ? text : text.substring(0, MAX) + "…";
    return value instanceof String ? '"' + shown + '"' : shown;
  }
}
