package dev.llama.tiktoken;

/**
 * The split pattern of GPT-2, in one pass and without backtracking.
 *
 * <pre>
 * 's|'t|'re|'ve|'m|'ll|'d           a contraction
 *  ?\p{L}+| ?\p{N}+                 letters or digits, after at most one space
 *  ?[^\s\p{L}\p{N}]+                punctuation, after at most one space
 * \s+(?!\S)                         white space up to the end, or but for its last character
 * \s+                               white space
 * </pre>
 */
final class Gpt2Splitter implements Splitter {
  @Override
  public void split(Utf8.Text text, int from, int to, Pieces pieces) {
    byte[] bytes = text.bytes;
    int start = from;
    while (start < to) {
      int end = pieceEnd(bytes, start, to);
      pieces.encode(start, end);
      start = end;
    }
  }

  private static int pieceEnd(byte[] text, int start, int to) {
    byte first = text[start];
    int next = start + Utf8.width(first);
    byte charClass = CharClass.at(text, start);
    if (first == '\'') {
      int end = contraction(text, next, to);
      if (end > next) {
        return end;
      }
    }
    if (!isSpace(charClass)) {
      return Scan.run(text, next, to, charClass);
    }
    if (first == ' ' && next < to) {
      byte nextClass = CharClass.at(text, next);
      if (!isSpace(nextClass)) {
        return Scan.run(text, next, to, nextClass);
      }
    }
    int last = start;
    int end = next;
    while (end < to && isSpace(CharClass.at(text, end))) {
      last = end;
      end += Utf8.width(text[end]);
    }
    return end == to || last == start ? end : last;
  }

  private static boolean isSpace(byte charClass) {
    return charClass == CharClass.SPACE || charClass == CharClass.NEWLINE;
  }

  /** Returns the end of {@code s}, {@code t}, {@code re} …, or {@code from} if none is there. */
  private static int contraction(byte[] text, int from, int to) {
    int a = from < to ? text[from] : 0;
    if (a == 's' || a == 't' || a == 'm' || a == 'd') {
      return from + 1;
    }
    int b = from + 1 < to ? text[from + 1] : 0;
    boolean two = a == 'l' && b == 'l' || (a == 'v' || a == 'r') && b == 'e';
    return two ? from + 2 : from;
  }
}
