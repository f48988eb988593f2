package dev.llama.cli;

import java.math.BigDecimal;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Numbers with units, as people write them. */
final class Quantity {
  private static final Pattern NUMBER =
      Pattern.compile("([0-9]{1,30}(?:\\.[0-9]{1,30})?(?:[eE]\\+?[0-9]{1,2})?) ?([A-Za-z/]*)");

  private static final Map<String, Double> DECIMAL =
      Map.of("", 1.0, "K", 1e3, "M", 1e6, "G", 1e9, "T", 1e12, "P", 1e15, "E", 1e18);

  private static final Map<String, Double> BINARY =
      Map.of("Ki", 0x1p10, "Mi", 0x1p20, "Gi", 0x1p30, "Ti", 0x1p40, "Pi", 0x1p50);

  private Quantity() {}

  /**
   * Reads a size: bytes, {@code 80GB} (10 to the power of 9), {@code 80GiB} (2 to the power of 30).
   *
   * @return empty if it is none, below 1, or beyond 64 bits
   */
  static Optional<Long> bytes(String text) {
    return parse(text, true, "B")
        .filter(value -> value >= 1 && value < 0x1p63)
        .map(Double::longValue);
  }

  /**
   * Reads a rate per second: {@code 989T}, {@code 3.35TB/s}, {@code 9.89e14}.
   *
   * @param unit that may stand behind the prefix, besides {@code /s}
   * @return empty if it is none, or not above 0
   */
  static Optional<Double> rate(String text, String unit) {
    String withoutSeconds = text.endsWith("/s") ? text.substring(0, text.length() - 2) : text;
    return parse(withoutSeconds, false, unit).filter(value -> value > 0);
  }

  private static Optional<Double> parse(String text, boolean binary, String unit) {
    Matcher matcher = NUMBER.matcher(text);
    if (!matcher.matches()) {
      return Optional.empty();
    }
    String prefix = matcher.group(2);
    if (prefix.endsWith(unit)) {
      prefix = prefix.substring(0, prefix.length() - unit.length());
    }
    Double factor = DECIMAL.get(prefix);
    if (factor == null && binary) {
      factor = BINARY.get(prefix);
    }
    return Optional.ofNullable(factor)
        .map(f -> new BigDecimal(matcher.group(1)).multiply(BigDecimal.valueOf(f)).doubleValue());
  }
}
