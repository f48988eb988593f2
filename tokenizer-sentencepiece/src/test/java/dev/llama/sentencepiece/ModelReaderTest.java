package dev.llama.sentencepiece;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.FormatException;
import dev.llama.LlamaException;
import dev.llama.TokenizerOptions;
import dev.llama.sentencepiece.Definition.Type;
import dev.llama.spi.TokenizerProvider;
import dev.llama.spi.TokenizerSource;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Map;
import java.util.Random;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;

/**
 * What a tokenizer.model may hold, and that a broken one is refused by name and by nothing else.
 */
class ModelReaderTest {

  @Test
  void isFoundByTheServiceLoader() {
    assertTrue(
        ServiceLoader.load(TokenizerProvider.class).stream()
            .anyMatch(provider -> provider.get().name().equals("sentencepiece")));
  }

  @Test
  void leavesOtherFamiliesToOthers() {
    for (String text : new String[] {"", "IQ== 0\nIg== 1\n", "hello"}) {
      TokenizerSource source =
          new TokenizerSource.ModelFile(
              ModelBuilder.ORIGIN, text.getBytes(StandardCharsets.US_ASCII));
      assertFalse(
          new SentencePieceProvider().open(source, TokenizerOptions.defaults()).isPresent());
    }
  }

  @Test
  void judgesTheBrokenFilesAsTheirIndexSays() throws IOException {
    int judged = 0;
    for (Map<String, Object> file : Fixtures.malformed("tokenizer-sentencepiece")) {
      String name = "malformed/" + file.get("path");
      byte[] bytes = Fixtures.bytes(name);
      if (bytes.length == 0 || bytes[0] != 0x0A) {
        continue; // another family by its first byte
      }
      judged++;
      if (file.get("expect").equals("accept")) {
        assertEquals("ab", Fixtures.model(name).decode(Fixtures.model(name).encode("ab")));
      } else if (file.get("expect").equals("reject")) {
        String message =
            assertThrows(FormatException.class, () -> Fixtures.model(name)).getMessage();
        assertTrue(message.contains(name), message);
      } else {
        try {
          Fixtures.model(name);
        } catch (FormatException expected) {
          assertTrue(expected.getMessage().contains(name));
        }
      }
    }
    assertTrue(judged >= 7, "" + judged);
  }

  /** Cut or altered anywhere, a file is read or refused: no other exception. */
  @Test
  void damageNeverGivesAnotherException() {
    byte[] whole = new ModelBuilder(true).normal("\u2581", "a", "b", "ab", "\u2581ab").model();
    Random random = new Random(7);
    for (int i = 0; i < 4000; i++) {
      byte[] bytes =
          Arrays.copyOf(whole, i % 3 == 0 ? 1 + random.nextInt(whole.length) : whole.length);
      for (int hits = random.nextInt(4); hits > 0; hits--) {
        bytes[1 + random.nextInt(Math.max(1, bytes.length - 1)) % bytes.length] =
            (byte) random.nextInt(256);
      }
      try {
        new SentencePieceProvider()
            .open(
                new TokenizerSource.ModelFile(ModelBuilder.ORIGIN, bytes),
                TokenizerOptions.defaults())
            .ifPresent(tokenizer -> tokenizer.decode(tokenizer.encode("ab abba <s>\n")));
      } catch (LlamaException expected) {
        assertTrue(expected.getMessage().contains("tokenizer.model"), expected.getMessage());
      }
    }
  }

  @Test
  void refusesByNameWhatIsNotImplemented() {
    ModelBuilder unigram = new ModelBuilder(true).normal("a");
    ModelBuilder.integer(unigram.trainer, 3, 1);
    refused(unigram, "UNIGRAM");
    ModelBuilder suffix = new ModelBuilder(true).normal("a");
    ModelBuilder.integer(suffix.trainer, 24, 1);
    refused(suffix, "treat_whitespace_as_suffix");
    ModelBuilder charsmap = new ModelBuilder(true).normal("a");
    ModelBuilder.bytes(charsmap.normalizer, 1, "nmt_nfkc".getBytes(StandardCharsets.US_ASCII));
    ModelBuilder.bytes(charsmap.normalizer, 2, new byte[8]);
    refused(charsmap, "nmt_nfkc");
    ModelBuilder unescaped = new ModelBuilder(true).normal("a");
    ModelBuilder.integer(unescaped.normalizer, 5, 0);
    refused(unescaped, "escape_whitespaces");
    refused(new ModelBuilder(true).normal("a", "b").piece("ab", 0, Type.UNUSED), "UNUSED");
  }

  @Test
  void refusesVocabulariesThatMakeNoSense() {
    refused(new ModelBuilder(true).piece("<unk2>", 0, Type.UNKNOWN), "type UNKNOWN");
    refused(new ModelBuilder(false).piece("<0x00>", 0, Type.BYTE), "byte_fallback is false");
    ModelBuilder fewBytes = new ModelBuilder(false).piece("<0x00>", 0, Type.BYTE);
    ModelBuilder.integer(fewBytes.trainer, 35, 1);
    refused(fewBytes, "1 of 256");
    refused(new ModelBuilder(true).normal("a", "a"), "both \"a\"");
    refused(new ModelBuilder(true).normal(""), "expected a text");
    refused(new ModelBuilder(true).piece("a", Float.NaN, Type.NORMAL), "NaN");
    refused(new ModelBuilder(true).normal(new String(new char[600]).replace('\0', 'a')), "600");
  }

  private static void refused(ModelBuilder builder, String reason) {
    String message = assertThrows(FormatException.class, builder::open).getMessage();
    assertTrue(message.contains(reason) && message.contains("tokenizer.model"), message);
  }

  /** A piece outside the merges that no text reaches does no harm, as in padded vocabularies. */
  @Test
  void unusedPiecesAreNeverProduced() {
    assertArrayEquals(
        new int[] {3, 4},
        prefixless(new ModelBuilder(false).normal("a", "b").piece("a?b", 0, Type.UNUSED))
            .open()
            .encode("ab"));
  }

  @Test
  void honoursTheNormalizersFlags() {
    ModelBuilder builder = new ModelBuilder(false).normal("\u2581", "a", "\u2581a", "\u2581\u2581");
    assertArrayEquals(new int[] {6, 5}, builder.open().encode("  a"));
    assertArrayEquals(new int[] {5, 6}, builder.open().encode("a  "));
    ModelBuilder.integer(builder.normalizer, 4, 1); // remove_extra_whitespaces
    assertArrayEquals(new int[] {5, 5}, builder.open().encode("  a   a "));
    assertArrayEquals(new int[0], builder.open().encode("   "));
    prefixless(builder);
    assertArrayEquals(new int[] {4, 5}, builder.open().encode("  a   a "));
  }

  static ModelBuilder prefixless(ModelBuilder builder) {
    ModelBuilder.integer(builder.normalizer, 3, 0);
    return builder;
  }
}
