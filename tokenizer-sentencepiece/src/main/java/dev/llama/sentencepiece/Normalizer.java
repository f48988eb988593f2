package dev.llama.sentencepiece;

import dev.llama.sentencepiece.Definition.Normalization;

/**
 * A stretch of text as the encoder wants it: spaces as the vocabulary's file asks for, U+2581 as a
 * space (the vocabulary cannot tell them apart), unpaired surrogates as U+FFFD.
 */
final class Normalizer {
  char[] chars = new char[0];
  int from;
  int to;

  private final Normalization rules;

  Normalizer(Normalization rules) {
    this.rules = rules;
  }

  /**
   * Normalizes a stretch of text into {@link #chars}, {@link #from} to {@link #to}.
   *
   * @param start first character
   * @param end behind the last character
   */
  void normalize(String text, int start, int end) {
    int length = end - start;
    if (chars.length < length + 1) {
      chars = new char[length + 1];
    }
    text.getChars(start, end, chars, 1);
    from = 1;
    to = length + 1;
    if (rules.removeExtraSpaces()) {
      removeExtraSpaces();
    }
    for (int i = from; i < to; i++) {
      char c = chars[i];
      if (c == Definition.META_SPACE) {
        chars[i] = ' ';
      } else if (Character.isSurrogate(c)) {
        if (Character.isHighSurrogate(c) && i + 1 < to && Character.isLowSurrogate(chars[i + 1])) {
          continue;
        }
        if (Character.isLowSurrogate(c) && i > from && Character.isHighSurrogate(chars[i - 1])) {
          continue;
        }
        chars[i] = '\uFFFD';
      }
    }
    if (from < to && hasPrefix(start)) {
      chars[--from] = ' ';
    }
    if (rules.removeExtraSpaces()) {
      while (from < to && chars[to - 1] == ' ') {
        to--;
      }
    }
  }

  private boolean hasPrefix(int start) {
    return switch (rules.prefix()) {
      case NONE -> false;
      case ALWAYS -> true;
      case UNLESS_SPACE -> chars[from] != ' ';
      case FIRST_UNLESS_SPACE -> start == 0 && chars[from] != ' ';
    };
  }

  /** Drops spaces at the start and all but one in the text; U+2581 is none yet. */
  private void removeExtraSpaces() {
    int out = from;
    boolean space = true;
    for (int i = from; i < to; i++) {
      boolean isSpace = chars[i] == ' ';
      if (!isSpace || !space) {
        chars[out++] = chars[i];
      }
      space = isSpace;
    }
    to = out;
  }
}
