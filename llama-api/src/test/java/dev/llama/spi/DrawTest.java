package dev.llama.spi;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.InvalidInputException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** The arithmetic that all backends share. */
class DrawTest {
  private static final Draw DRAW = new Draw(0.5f, 7, 0.25f, 0.125f, 0.75);

  @Test
  void weightsAreExponentials() {
    for (float x = 0; x > -30; x -= 0.0037f) {
      double expected = Math.exp(x) * (1L << 40);
      // Half a unit in the last place of x is what its product with a constant may lose.
      double bound = 1 + expected * (2e-8 - x * 0x1p-23);
      assertEquals(expected, Draw.weight(x), bound, "x = " + x);
    }
  }

  @Test
  void weightsOfAwkwardNumbers() {
    assertEquals(1L << 40, Draw.weight(0));
    assertEquals(1L << 40, Draw.weight(-0.0f));
    assertEquals(1L << 40, Draw.weight(-Float.MIN_VALUE));
    assertEquals(0, Draw.weight(-28));
    assertEquals(0, Draw.weight(Float.NEGATIVE_INFINITY));
    assertEquals(0, Draw.weight(Float.NaN));
    assertTrue(Draw.weight(-27.5f) > 0);
  }

  /** Sums of a vocabulary's weights fit, and rounding never leads outside of them. */
  @Test
  void sharesOfSums() {
    long sum = (1L << 40) * 300_000;
    assertEquals(sum / 4, DRAW.needed(sum));
    assertEquals(sum / 4 * 3, DRAW.point(sum));
    assertEquals(1, DRAW.needed(1));
    Draw last = new Draw(1, 0, 1, 0, Math.nextDown(1.0));
    for (long n : new long[] {1, 2, 3, (1L << 40) + 1, sum - 1, (1L << 62) - 1}) {
      assertTrue(last.point(n) >= 0 && last.point(n) < n, "" + n);
    }
    assertEquals(3 + Math.log(0.125), DRAW.least(3), 1e-12);
    assertEquals(Double.NEGATIVE_INFINITY, last.least(3));
  }

  @Test
  void theLayoutIsThatOfItsDocumentation() {
    ByteBuffer bytes = ByteBuffer.allocate(4 + 4 * Draw.WORDS); // big-endian
    bytes.putInt(9);
    DRAW.put(bytes);
    assertEquals(0, bytes.remaining());
    assertEquals(ByteOrder.BIG_ENDIAN, bytes.order());
    bytes.order(ByteOrder.LITTLE_ENDIAN);
    assertEquals(0.5f, bytes.getFloat(4));
    assertEquals(7, bytes.getInt(8));
    assertEquals(0.25f, bytes.getFloat(12));
    assertEquals(0.125f, bytes.getFloat(16));
    assertEquals(Math.log(0.125), bytes.getDouble(20), 1e-12);
    assertEquals(0.75, bytes.getDouble(28));
  }

  @Test
  void rangesAreChecked() {
    List<Executable> wrong =
        List.of(
            () -> new Draw(0, 0, 1, 0, 0),
            () -> new Draw(Float.NaN, 0, 1, 0, 0),
            () -> new Draw(Float.POSITIVE_INFINITY, 0, 1, 0, 0),
            () -> new Draw(1, -1, 1, 0, 0),
            () -> new Draw(1, 0, 0, 0, 0),
            () -> new Draw(1, 0, 1.5f, 0, 0),
            () -> new Draw(1, 0, 1, -0.5f, 0),
            () -> new Draw(1, 0, 1, 2, 0),
            () -> new Draw(1, 0, 1, 0, 1),
            () -> new Draw(1, 0, 1, 0, -1e-9));
    for (Executable draw : wrong) {
      InvalidInputException e = assertThrows(InvalidInputException.class, draw);
      assertTrue(e.getMessage().contains("it must be"), e.getMessage());
    }
  }
}
