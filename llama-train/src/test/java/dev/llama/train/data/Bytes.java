package dev.llama.train.data;

import dev.llama.Specials;
import dev.llama.Tokenizer;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;

/** A vocabulary of the 256 bytes, with ids of its own to begin and end a text where asked. */
final class Bytes implements Tokenizer {
  static final int BEGIN = 256;
  static final int END = 257;

  private final boolean framed;

  Bytes(boolean framed) {
    this.framed = framed;
  }

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
      bytes[i] = (byte) ids[i];
    }
    return bytes;
  }

  @Override
  public Decoder newDecoder() {
    throw new UnsupportedOperationException();
  }

  @Override
  public String piece(int id) {
    throw new UnsupportedOperationException();
  }

  @Override
  public int vocabularySize() {
    return framed ? 258 : 256;
  }

  @Override
  public OptionalInt bos() {
    return framed ? OptionalInt.of(BEGIN) : OptionalInt.empty();
  }

  @Override
  public OptionalInt eos() {
    return framed ? OptionalInt.of(END) : OptionalInt.empty();
  }

  @Override
  public Set<Integer> stopIds() {
    return Set.of();
  }

  @Override
  public boolean addsBos() {
    return framed;
  }

  @Override
  public Map<String, Integer> specialTokens() {
    return Map.of();
  }
}
