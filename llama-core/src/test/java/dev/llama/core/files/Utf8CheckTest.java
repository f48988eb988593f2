package dev.llama.core.files;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** The check says what the decoder of the JDK says. */
class Utf8CheckTest {
  private static void compare(byte... bytes) {
    boolean expected;
    try {
      StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes));
      expected = true;
    } catch (CharacterCodingException e) {
      expected = false;
    }
    assertEquals(expected, Utf8Check.isValid(bytes, 0, bytes.length), Arrays.toString(bytes));
  }

  @Test
  void everyPairOfBytes() {
    for (int i = 0; i < 1 << 16; i++) {
      compare((byte) (i >> 8), (byte) i);
    }
  }

  @Test
  void everyEndOfLongerSequences() {
    int[] edges = {0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc2, 0xff};
    for (int lead = 0xe0; lead <= 0xff; lead++) {
      for (int a : edges) {
        for (int b : edges) {
          compare((byte) lead, (byte) a, (byte) b);
          for (int c : edges) {
            compare((byte) lead, (byte) a, (byte) b, (byte) c);
          }
        }
      }
    }
  }

  @Test
  void bytesOutsideDoNotCount() {
    byte[] bytes = "aé€🙂z".getBytes(StandardCharsets.UTF_8);
    assertTrue(Utf8Check.isValid(bytes, 0, bytes.length));
    assertTrue(Utf8Check.isValid(bytes, 3, 6), "the euro sign alone");
    assertFalse(Utf8Check.isValid(bytes, 3, 5), "its end is missing");
    assertFalse(Utf8Check.isValid(bytes, 4, 6), "its start is missing");
    assertTrue(Utf8Check.isValid(bytes, 2, 2));
  }

  @Test
  void randomTexts() {
    Random random = new Random(1);
    for (int i = 0; i < 20_000; i++) {
      byte[] bytes = new byte[random.nextInt(8)];
      for (int j = 0; j < bytes.length; j++) {
        bytes[j] = (byte) (random.nextBoolean() ? 0x80 + random.nextInt(0x40) : random.nextInt());
      }
      compare(bytes);
    }
  }
}
