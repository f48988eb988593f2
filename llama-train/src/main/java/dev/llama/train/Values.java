package dev.llama.train;

import dev.llama.InvalidInputException;

/** The one form of complaint about values that a caller passed. */
final class Values {
  private Values() {}

  static void require(boolean ok, String name, Object value, String expected) {
    if (!ok) {
      throw new InvalidInputException(name + " is " + value + ", expected " + expected);
    }
  }

  static void atLeast(long least, String name, long value) {
    require(value >= least, name, value, least + " or more");
  }
}
