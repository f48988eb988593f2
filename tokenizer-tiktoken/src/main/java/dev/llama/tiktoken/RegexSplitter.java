package dev.llama.tiktoken;

import dev.llama.InvalidInputException;
import java.nio.charset.StandardCharsets;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Any split pattern, by {@link java.util.regex}: slower than the splitters written by hand, with
 * the Unicode tables of the Java runtime, and with its meaning of {@code $} (also before a line end
 * at the end of the text). The classes {@code \s}, {@code \d} and {@code \w} are those of Unicode.
 *
 * <p>Backtracking is bounded: a pattern that looks at the text more than {@value #LOOKS_PER_CHAR}
 * times, or runs out of stack, ends in an exception.
 */
final class RegexSplitter implements Splitter {
  private static final int LOOKS_PER_CHAR = 1000;
  private static final int LOOKS_AT_LEAST = 1_000_000;

  private final Pattern pattern;
  private final boolean keepsRest;

  /**
   * Creates a splitter.
   *
   * @param pattern matches pieces
   * @param keepsRest whether text between matches is a piece as well; otherwise it is dropped
   * @throws java.util.regex.PatternSyntaxException if it is no regular expression
   */
  RegexSplitter(String pattern, boolean keepsRest) {
    this.pattern = Pattern.compile(pattern, Pattern.UNICODE_CHARACTER_CLASS);
    this.keepsRest = keepsRest;
  }

  @Override
  public void split(Utf8.Text text, int from, int to, Pieces pieces) {
    String chars = new String(text.bytes, from, to - from, StandardCharsets.UTF_8);
    Matcher matcher = pattern.matcher(new BoundedText(chars, pattern));
    int at = from; // the byte at which char number `done` starts
    int done = 0;
    while (find(matcher)) {
      int start = at + utf8Length(chars, done, matcher.start());
      int end = start + utf8Length(chars, matcher.start(), matcher.end());
      if (keepsRest) {
        pieces.encode(at, start);
      }
      pieces.encode(start, end);
      at = end;
      done = matcher.end();
    }
    if (keepsRest) {
      pieces.encode(at, to);
    }
  }

  private boolean find(Matcher matcher) {
    try {
      return matcher.find();
    } catch (StackOverflowError e) {
      throw new InvalidInputException(
          "the split pattern "
              + pattern
              + " ran out of stack; repeat characters and classes rather than groups, possessively"
              + " where it can be done, or encode shorter texts");
    }
  }

  private static int utf8Length(String text, int from, int to) {
    int length = 0;
    for (int i = from; i < to; i++) {
      char c = text.charAt(i);
      length += c < 0x80 ? 1 : c < 0x800 || Character.isSurrogate(c) ? 2 : 3;
    }
    return length;
  }

  /** Counts how often characters are looked at. */
  private static final class BoundedText implements CharSequence {
    private final String text;
    private final Pattern pattern;
    private long looksLeft;

    BoundedText(String text, Pattern pattern) {
      this.text = text;
      this.pattern = pattern;
      this.looksLeft = LOOKS_AT_LEAST + (long) LOOKS_PER_CHAR * text.length();
    }

    @Override
    public char charAt(int index) {
      if (--looksLeft < 0) {
        throw new InvalidInputException(
            "the split pattern "
                + pattern
                + " looked at each of "
                + text.length()
                + " characters more than "
                + LOOKS_PER_CHAR
                + " times; it backtracks too much, make its repetitions possessive");
      }
      return text.charAt(index);
    }

    @Override
    public int length() {
      return text.length();
    }

    @Override
    public CharSequence subSequence(int start, int end) {
      return text.substring(start, end);
    }

    @Override
    public String toString() {
      return text;
    }
  }
}
