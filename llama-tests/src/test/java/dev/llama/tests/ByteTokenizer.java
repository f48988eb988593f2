package dev.llama.tests;

import dev.llama.InvalidInputException;
import dev.llama.Specials;
import dev.llama.Tokenizer;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;

/** A tokenizer of an application's own: ids are bytes, as for nucleotides; 0 begins and ends. */
class ByteTokenizer implements Tokenizer {
  @Override
  public int[] encode(CharSequence text, Specials specials) {
    byte[] bytes = text.toString().getBytes(StandardCharsets.UTF_8);
    int[] ids = new int[bytes.length];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = bytes[i] & 0xFF;
    }
    return ids;
  }

  @Override
  public String decode(int... ids) {
    return new String(decodeBytes(ids), StandardCharsets.UTF_8);
  }

  @Override
  public byte[] decodeBytes(int... ids) {
    byte[] bytes = new byte[ids.length];
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] < 0 || ids[i] > 255) {
        throw new InvalidInputException("id " + ids[i] + ", expected 0 to 255");
      }
      bytes[i] = (byte) ids[i];
    }
    return bytes;
  }

  @Override
  public Decoder newDecoder() {
    CharsetDecoder utf8 =
        StandardCharsets.UTF_8
            .newDecoder()
            .onMalformedInput(CodingErrorAction.REPLACE)
            .onUnmappableCharacter(CodingErrorAction.REPLACE);
    ByteBuffer pending = ByteBuffer.allocate(16);
    return new Decoder() {
      @Override
      public String append(int id) {
        pending.put((byte) id);
        return decode(false);
      }

      @Override
      public String flush() {
        String rest = decode(true);
        utf8.reset();
        return rest;
      }

      private String decode(boolean end) {
        CharBuffer chars = CharBuffer.allocate(32);
        pending.flip();
        utf8.decode(pending, chars, end);
        pending.compact();
        return chars.flip().toString();
      }
    };
  }

  @Override
  public String piece(int id) {
    return "<" + id + ">";
  }

  @Override
  public int vocabularySize() {
    return 256;
  }

  @Override
  public OptionalInt bos() {
    return OptionalInt.of(0);
  }

  @Override
  public OptionalInt eos() {
    return OptionalInt.of(0);
  }

  @Override
  public Set<Integer> stopIds() {
    return Set.of(0);
  }

  @Override
  public boolean addsBos() {
    return true;
  }

  @Override
  public Map<String, Integer> specialTokens() {
    return Map.of();
  }
}
