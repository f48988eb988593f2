package dev.llama.core.plan;

import dev.llama.DType;

/** A product that remembers its factors. */
final class Product {
  private final StringBuilder text = new StringBuilder();
  private long value;

  private Product(long value, String unit) {
    this.value = value;
    factor(value, unit);
  }

  static Product of(long value, String unit) {
    return new Product(value, unit);
  }

  /** "1 row", "2 rows"; other units are written as they are. */
  private void factor(long factor, String unit) {
    int at = text.length();
    text.append(factor);
    for (int comma = text.length() - 3; comma > at; comma -= 3) {
      text.insert(comma, ',');
    }
    if (!unit.isEmpty()) {
      boolean singular = factor == 1 && unit.endsWith("s");
      text.append(' ').append(singular ? unit.replaceFirst("(?<=ch)es$|s$", "") : unit);
    }
  }

  Product times(long factor, String unit) {
    value = Math.multiplyExact(value, factor);
    if (factor != 1 || !unit.isEmpty()) {
      text.append(" x ");
      factor(factor, unit);
    }
    return this;
  }

  /** Turns elements into bytes; whole rows of them are whole blocks. */
  Product stored(DType type) {
    if (type.isQuantized()) {
      value /= type.blockElements();
      text.append(" / ").append(type.blockElements());
    }
    return times(type.blockBytes(), "bytes (" + type + ")");
  }

  Term term(Term.Kind kind, String name) {
    return new Term(kind, name, text.toString(), value);
  }
}
