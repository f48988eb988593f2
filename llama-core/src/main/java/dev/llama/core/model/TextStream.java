package dev.llama.core.model;

import dev.llama.Tokenizer;
import java.util.List;
import java.util.Optional;

/**
 * Turns generated tokens into text that may be shown: whole characters only, and nothing that may
 * yet become part of a stop string.
 */
final class TextStream {
  private final Tokenizer.Decoder decoder;
  private final List<String> stopStrings;
  private final StringBuilder held = new StringBuilder();
  private String stop;

  /**
   * Creates a stream.
   *
   * @param decoder fed with what went before the generated text
   */
  TextStream(Tokenizer.Decoder decoder, List<String> stopStrings) {
    this.decoder = decoder;
    this.stopStrings = stopStrings;
  }

  /** Adds a token and returns the text that is now certain. */
  String append(int id) {
    held.append(decoder.append(id));
    return release(true);
  }

  /** Ends the text and returns what was held back. */
  String flush() {
    held.append(decoder.flush());
    return release(false);
  }

  /** The stop string that was met. */
  Optional<String> stop() {
    return Optional.ofNullable(stop);
  }

  private String release(boolean moreToCome) {
    if (stop != null) {
      return "";
    }
    int end = held.length();
    for (String candidate : stopStrings) {
      int index = held.indexOf(candidate);
      if (index >= 0 && (stop == null || index < end)) {
        stop = candidate;
        end = index;
      }
    }
    if (stop == null && moreToCome) {
      end -= longestBeginning();
    }
    String text = held.substring(0, end);
    held.delete(0, end);
    return text;
  }

  /** Length of the longest end of the held text that a stop string begins with. */
  private int longestBeginning() {
    int longest = 0;
    for (String candidate : stopStrings) {
      int length = Math.min(candidate.length() - 1, held.length());
      while (length > longest && !endsWithBeginning(candidate, length)) {
        length--;
      }
      longest = Math.max(longest, length);
    }
    return longest;
  }

  private boolean endsWithBeginning(String candidate, int length) {
    int offset = held.length() - length;
    for (int i = 0; i < length; i++) {
      if (held.charAt(offset + i) != candidate.charAt(i)) {
        return false;
      }
    }
    return true;
  }
}
