package dev.llama.sentencepiece;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.llama.InvalidInputException;
import dev.llama.Tokenizer;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/** Tokens to text, whole and one by one. The id of byte b is 3 + b. */
class DecoderTest {
  private static final int SPACE_A = 3 + 256;

  private final Tokenizer tokenizer =
      new ModelBuilder(true).normal("\u2581a", "\u2581", "\u2581\u2581").open();

  @Test
  void dropsOneLeadingSpaceOfAWholeText() {
    assertEquals("a a", tokenizer.decode(SPACE_A, SPACE_A));
    assertEquals("a", tokenizer.decode(1, 1, SPACE_A, 2));
    assertEquals(" a", tokenizer.decode(SPACE_A + 1, SPACE_A));
    assertEquals(" ", tokenizer.decode(SPACE_A + 2));
    assertEquals("\n a", tokenizer.decode(3 + 10, SPACE_A));
    assertEquals(" \u2047  a", tokenizer.decode(0, SPACE_A));
    assertEquals("", tokenizer.decode());
    assertArrayEquals(
        " a".getBytes(StandardCharsets.UTF_8), tokenizer.decodeBytes(1, SPACE_A + 1, SPACE_A));
  }

  @Test
  void aStreamDropsTheLeadingSpaceOfItsTextAlone() {
    Tokenizer.Decoder decoder = tokenizer.newDecoder();
    assertEquals("", decoder.append(1));
    assertEquals("a", decoder.append(SPACE_A));
    assertEquals(" a", decoder.append(SPACE_A));
    assertEquals("", decoder.append(1));
    assertEquals(" \u2047 ", decoder.append(0));
    assertEquals("", decoder.flush());
    assertEquals("a", decoder.append(SPACE_A), "as new after a flush");
  }

  @Test
  void aStreamHoldsBackIncompleteCharacters() {
    Tokenizer.Decoder decoder = tokenizer.newDecoder();
    assertEquals("", decoder.append(3 + 0xF0));
    assertEquals("", decoder.append(3 + 0x9F));
    assertEquals("", decoder.append(3 + 0x98));
    assertEquals("\uD83D\uDE00", decoder.append(3 + 0x80));
    assertEquals("", decoder.flush());
  }

  /** Every byte of what cannot become a character is one U+FFFD, as soon as that is certain. */
  @Test
  void brokenSequencesGiveOneReplacementPerByte() {
    Tokenizer.Decoder decoder = tokenizer.newDecoder();
    assertEquals("\uFFFD", decoder.append(3 + 0x80));
    assertEquals("", decoder.append(3 + 0xE4));
    assertEquals("", decoder.append(3 + 0xB8));
    assertEquals("\uFFFD\uFFFDx", decoder.append(3 + 'x'));
    assertEquals("", decoder.append(3 + 0xC3));
    assertEquals("\uFFFD a", decoder.append(SPACE_A));
    assertEquals("", decoder.append(3 + 0xC3));
    assertEquals("\uFFFD", decoder.flush());
    assertEquals("", decoder.append(3 + 0xC3));
    assertEquals("\u00e9", decoder.append(3 + 0xA9));
    // overlong, surrogate, above U+10FFFF
    assertEquals("\uFFFD\uFFFD", tokenizer.decode(3 + 0xC0, 3 + 0x80));
    assertEquals("\uFFFD\uFFFD\uFFFD", tokenizer.decode(3 + 0xED, 3 + 0xA0, 3 + 0x80));
    assertEquals("\uFFFD\uFFFD", tokenizer.decode(3 + 0xF4, 3 + 0x90));
    assertArrayEquals(new byte[] {(byte) 0xC3}, tokenizer.decodeBytes(3 + 0xC3));
  }

  /** All two-byte sequences and many longer ones: what is valid is what the JDK takes for valid. */
  @Test
  void knowsValidUtf8() {
    for (int c = 0; c <= Character.MAX_CODE_POINT; c += c < 0x3000 ? 1 : 257) {
      if (c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE) {
        continue;
      }
      String text = new String(Character.toChars(c));
      byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
      assertEquals(bytes.length, Utf8.length(bytes, 0, bytes.length));
      assertEquals(c, Utf8.codePoint(bytes, 0, bytes.length));
      for (int i = 1; i < bytes.length; i++) {
        assertEquals(0, Utf8.length(bytes, 0, i));
      }
    }
  }

  @Test
  void refusesIdsOutsideTheVocabulary() {
    for (int id : new int[] {-1, tokenizer.vocabularySize(), Integer.MAX_VALUE}) {
      assertThrows(InvalidInputException.class, () -> tokenizer.decode(1, id));
      assertThrows(InvalidInputException.class, () -> tokenizer.decodeBytes(id));
      assertThrows(InvalidInputException.class, () -> tokenizer.newDecoder().append(id));
      assertThrows(InvalidInputException.class, () -> tokenizer.piece(id));
    }
  }

  @Test
  void unpairedSurrogatesCountAsReplacementCharacters() {
    assertArrayEquals(tokenizer.encode("x\uFFFDy\uFFFD"), tokenizer.encode("x\uDE00y\uD83D"));
    assertArrayEquals(
        tokenizer.encode("\uFFFD\uD83D\uDE00\uFFFD"), tokenizer.encode("\uD83D\uD83D\uDE00\uDE00"));
  }
}
