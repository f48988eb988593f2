package dev.llama.core.files;

/**
 * Whether bytes are well-formed UTF-8 (Unicode 15, table 3-7). The JDK can tell as well, but only
 * by making a text of each.
 */
final class Utf8Check {
  private Utf8Check() {}

  /**
   * Returns whether bytes are well-formed.
   *
   * @param bytes that hold them
   * @param from the first
   * @param to behind the last
   */
  static boolean isValid(byte[] bytes, int from, int to) {
    int at = from;
    while (at < to) {
      int lead = bytes[at++];
      if (lead >= 0) {
        continue;
      }
      int trailing = trailing(lead & 0xFF, at < to ? bytes[at] & 0xFF : 0);
      if (trailing == 0 || trailing > to - at) {
        return false;
      }
      for (int end = at + trailing; at < end; at++) {
        if ((bytes[at] & 0xC0) != 0x80) {
          return false;
        }
      }
    }
    return true;
  }

  /** Returns how many bytes follow a leading one; 0 if the two cannot stand together. */
  private static int trailing(int lead, int next) {
    if (lead < 0xC2 || lead > 0xF4) {
      return 0;
    }
    if (lead < 0xE0) {
      return 1;
    }
    if (lead < 0xF0) {
      boolean overlong = lead == 0xE0 && next < 0xA0;
      boolean surrogate = lead == 0xED && next > 0x9F;
      return overlong || surrogate ? 0 : 2;
    }
    boolean overlong = lead == 0xF0 && next < 0x90;
    boolean tooLarge = lead == 0xF4 && next > 0x8F;
    return overlong || tooLarge ? 0 : 3;
  }
}
