package dev.llama.tiktoken;

/** Loops over characters of well-formed UTF-8 that splitters share. */
final class Scan {
  private Scan() {}

  /**
   * Returns the end of the run of characters of one class.
   *
   * @param from where the run may start
   * @return {@code from} if there is no such character
   */
  static int run(byte[] text, int from, int to, byte charClass) {
    int i = from;
    while (i < to) {
      int b = text[i];
      if (b >= 0) {
        if (CharClass.ofAscii(b) != charClass) {
          break;
        }
        i++;
      } else {
        if (CharClass.of(Utf8.codePoint(text, i)) != charClass) {
          break;
        }
        i += Utf8.width((byte) b);
      }
    }
    return i;
  }
}
