package dev.llama.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.llama.InvalidInputException;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class UnitsTest {
  @Test
  void sizesAreRoundedToTheirUnit() {
    assertEquals("1023 B", Units.bytes(1023));
    assertEquals("1.50 KiB", Units.bytes(1536));
    assertEquals("1.00 MiB", Units.bytes(1024 * 1024 - 1));
    assertEquals("8.00 EiB", Units.bytes(Long.MAX_VALUE));
    assertEquals("999", Units.parameters(999));
    assertEquals("1.24 B", Units.parameters(1_235_814_400));
    assertEquals("1.00 B", Units.parameters(999_999_999));
  }

  @Test
  void samplesHaveMeanDeviationAndMedian() {
    Samples samples = new Samples(new double[] {4, 1, 7});
    assertEquals(4, samples.mean());
    assertEquals(3, samples.standardDeviation());
    assertEquals(4, samples.median());
    assertEquals(2.5, new Samples(new double[] {4, 1}).median());
    assertEquals(0, new Samples(new double[] {4}).standardDeviation());
  }

  @Test
  void columnsAreAsWideAsTheirCharacters() {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    new Table("lr").row("é", 1).row("ab", 100).print(new PrintStream(out, true));
    assertEquals("  é     1\n  ab  100\n".length(), out.toString(StandardCharsets.UTF_8).length());
  }

  @Test
  void idsAreReadInAnyUsualForm() {
    assertArrayEquals(new int[] {1, 2, 3}, TokenIds.parse(" [1, 2\n3 ]\n", "x"));
    assertArrayEquals(new int[0], TokenIds.parse("[]", "x"));
    assertThrows(InvalidInputException.class, () -> TokenIds.parse("1,,2", "x"));
    assertThrows(InvalidInputException.class, () -> TokenIds.parse("99999999999", "x"));
  }
}
