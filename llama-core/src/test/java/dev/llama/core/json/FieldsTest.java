package dev.llama.core.json;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.llama.FormatException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Messages name the field, what it is and what it may be; nothing is converted silently. */
class FieldsTest {
  private static final Path FILE = Paths.get("f.json");

  private static Fields fields(String json) {
    return new Fields(FILE, Json.parseObject(FILE, json.getBytes(StandardCharsets.UTF_8)));
  }

  private static void refuse(String message, Executable access) {
    FormatException e = assertThrows(FormatException.class, access);
    assertEquals("f.json: " + message, e.getMessage());
  }

  @Test
  void typesAreStrict() {
    Fields f =
        fields("{\"s\": \"5\", \"d\": 2.0, \"big\": 4294967296, \"n\": null, \"o\": {\"x\": []}}");
    refuse("s is the text \"5\", expected an integer of 32 bits", () -> f.requireInt("s"));
    refuse("d is 2.0, expected an integer of 32 bits", () -> f.optionalInt("d"));
    refuse("big is 4294967296, expected an integer of 32 bits", () -> f.requireInt("big"));
    refuse("n is null, expected an integer", () -> f.requireInt("n"));
    refuse("gone is missing, expected a number", () -> f.requireDouble("gone"));
    refuse("s is the text \"5\", expected true or false", () -> f.optionalBoolean("s"));
    refuse("d is 2.0, expected a text", () -> f.optionalString("d"));
    refuse("s is the text \"5\", expected an object", () -> f.optionalObject("s"));
    refuse("d is 2.0, expected an array of numbers", () -> f.doubles("d"));
    refuse("d is 2.0, expected texts", () -> f.strings("d"));
    Fields inner = f.optionalObject("o").orElseThrow(AssertionError::new);
    refuse("o.x is an array of 0 elements, expected a number", () -> inner.requireDouble("x"));
  }

  @Test
  void nullCountsAsAbsent() {
    Fields f = fields("{\"n\": null}");
    assertEquals(OptionalInt.empty(), f.optionalInt("n"));
    assertEquals(List.of(), f.ints("n"));
    assertEquals(List.of(), f.strings("n"));
    assertEquals(true, f.contains("n"));
  }

  @Test
  void oneOrManyAreTheSame() {
    Fields f = fields("{\"one\": 3, \"many\": [4, 5], \"text\": \"a\", \"mixed\": [1, \"2\"]}");
    assertEquals(List.of(3), f.ints("one"));
    assertEquals(List.of(4, 5), f.ints("many"));
    assertEquals(List.of("a"), f.strings("text"));
    assertThrows(FormatException.class, () -> f.ints("mixed"));
    assertThrows(FormatException.class, () -> f.strings("mixed"));
  }

  @Test
  void whatWasNeverAskedForIsTheRest() {
    Fields f = fields("{\"b\": 1, \"a\": 2, \"c\": 3, \"d\": 4}");
    f.requireInt("a");
    f.skip(Set.of("d", "absent"));
    assertEquals(Map.of("b", 1L, "c", 3L), f.rest());
    assertEquals("[b, c]", f.rest().keySet().toString());
  }
}
