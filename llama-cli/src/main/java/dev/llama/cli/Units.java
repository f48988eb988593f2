package dev.llama.cli;

import java.util.Locale;

/** Numbers for people, the same in every locale. */
final class Units {
  private static final String[] BINARY = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  private static final String[] DECIMAL = {"K", "M", "B", "T"};

  private Units() {}

  /** 1536 is "1.50 KiB". */
  static String bytes(long bytes) {
    if (bytes < 1024) {
      return bytes + " B";
    }
    double value = bytes / 1024.0;
    int unit = 0;
    for (; value >= 1023.995 && unit < BINARY.length - 1; unit++) {
      value /= 1024;
    }
    return decimals(value, 2) + " " + BINARY[unit];
  }

  /** 1235814400 is "1.24 B", as model sizes are named. */
  static String parameters(long count) {
    if (count < 1000) {
      return Long.toString(count);
    }
    double value = count / 1000.0;
    int unit = 0;
    for (; value >= 999.995 && unit < DECIMAL.length - 1; unit++) {
      value /= 1000;
    }
    return decimals(value, 2) + " " + DECIMAL[unit];
  }

  /** 1234567 is "1,234,567". */
  static String grouped(long count) {
    return String.format(Locale.ROOT, "%,d", count);
  }

  /** A number with this many decimals. */
  static String decimals(double value, int decimals) {
    return String.format(Locale.ROOT, "%." + decimals + "f", value);
  }

  /** Seconds with as many decimals as are worth reading. */
  static String seconds(double seconds) {
    return decimals(seconds, seconds < 1 ? 3 : 2) + " s";
  }

  /** "1 token", "2 tokens". */
  static String plural(long count, String noun) {
    return count + " " + noun + (count == 1 ? "" : "s");
  }
}
