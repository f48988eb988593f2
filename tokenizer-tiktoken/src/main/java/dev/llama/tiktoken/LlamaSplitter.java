package dev.llama.tiktoken;

/**
 * The split pattern of Llama 3 and its relatives, in one pass and without backtracking: every byte
 * is looked at a bounded number of times, whatever the text.
 *
 * <pre>
 * (?i:'s|'t|'re|'ve|'m|'ll|'d)      a contraction
 * [^\r\n\p{L}\p{N}]?\p{L}+          letters, after at most one other character
 * \p{N}{1,3}                        digits by threes
 *  ?[^\s\p{L}\p{N}]+[\r\n]*         punctuation, after at most one space, and line ends
 * \s*[\r\n]+                        white space up to the last line end of the run
 * \s+(?!\S)                         white space up to the end, or but for its last character
 * \s+                               white space
 * </pre>
 */
final class LlamaSplitter implements Splitter {
  private final int digits;
  private final boolean finalSpaceFirst;

  /**
   * Creates a splitter.
   *
   * @param digits how many digits a piece has at most; 3 for Llama
   * @param finalSpaceFirst whether white space at the end of the text is one piece even if it holds
   *     line ends: {@code \s++$} comes before {@code \s*[\r\n]}
   */
  LlamaSplitter(int digits, boolean finalSpaceFirst) {
    this.digits = digits;
    this.finalSpaceFirst = finalSpaceFirst;
  }

  @Override
  public void split(Utf8.Text text, int from, int to, Pieces pieces) {
    int start = from;
    while (start < to) {
      int end = pieceEnd(text, start, to);
      pieces.encode(start, end);
      start = end;
    }
  }

  private int pieceEnd(Utf8.Text utf8, int start, int to) {
    byte[] text = utf8.bytes;
    byte first = text[start];
    int next = start + Utf8.width(first);
    byte charClass = CharClass.at(text, start);
    if (charClass == CharClass.LETTER) {
      return Scan.letters(utf8, next, to);
    }
    if (charClass == CharClass.NUMBER) {
      return number(text, next, to);
    }
    if (first == '\'') {
      int end = contraction(text, next, to);
      if (end > next) {
        return end;
      }
    }
    if (charClass != CharClass.NEWLINE && next < to) {
      byte nextClass = CharClass.at(text, next);
      if (nextClass == CharClass.LETTER) {
        return Scan.letters(utf8, next, to);
      }
      if (first == ' ' && nextClass == CharClass.OTHER) {
        return punctuation(text, next, to);
      }
    }
    if (charClass == CharClass.OTHER) {
      return punctuation(text, next, to);
    }
    return whiteSpace(text, start, next, to);
  }

  private int number(byte[] text, int from, int to) {
    int end = from;
    for (int count = 1; count < digits && end < to; count++) {
      if (CharClass.at(text, end) != CharClass.NUMBER) {
        break;
      }
      end += Utf8.width(text[end]);
    }
    return end;
  }

  private static int punctuation(byte[] text, int from, int to) {
    int end = Scan.run(text, from, to, CharClass.OTHER);
    while (end < to && (text[end] == '\r' || text[end] == '\n')) {
      end++;
    }
    return end;
  }

  private int whiteSpace(byte[] text, int start, int next, int to) {
    int last = start; // start of the last character of the run
    int end = next;
    int lineEnd = -1; // end of the last line end in it
    for (int i = start; ; i = end) {
      byte charClass = i < to ? CharClass.at(text, i) : CharClass.OTHER;
      if (charClass != CharClass.SPACE && charClass != CharClass.NEWLINE) {
        break;
      }
      last = i;
      end = i + Utf8.width(text[i]);
      if (charClass == CharClass.NEWLINE) {
        lineEnd = end;
      }
    }
    if (end == to && (finalSpaceFirst || lineEnd < 0)) {
      return end;
    }
    if (lineEnd >= 0) {
      return lineEnd;
    }
    return last > start ? last : end;
  }

  /** Returns the end of {@code s}, {@code t}, {@code re} …, or {@code from} if none is there. */
  private static int contraction(byte[] text, int from, int to) {
    if (from >= to) {
      return from;
    }
    int a = text[from] | 0x20; // only letters become lower-case letters
    if (a == 's' || a == 't' || a == 'm' || a == 'd') {
      return from + 1;
    }
    if (from + 1 >= to) {
      return from;
    }
    // U+017F, the long s, is s when case is ignored
    if (text[from] == (byte) 0xC5 && text[from + 1] == (byte) 0xBF) {
      return from + 2;
    }
    int b = text[from + 1] | 0x20;
    boolean two = a == 'l' && b == 'l' || (a == 'v' || a == 'r') && b == 'e';
    return two ? from + 2 : from;
  }
}
