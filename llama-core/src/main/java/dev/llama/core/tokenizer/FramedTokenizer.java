package dev.llama.core.tokenizer;

import dev.llama.ChatMessage;
import dev.llama.Specials;
import dev.llama.Tokenizer;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;

/** A tokenizer with other tokens around a text than those of its vocabulary file. */
final class FramedTokenizer implements Tokenizer {
  private final Tokenizer inner;
  private final OptionalInt bos;
  private final OptionalInt eos;
  private final boolean addsBos;
  private final Set<Integer> stopIds;

  FramedTokenizer(Tokenizer inner, OptionalInt bos, OptionalInt eos, boolean addsBos) {
    this.inner = inner;
    this.bos = bos;
    this.eos = eos;
    this.addsBos = addsBos;
    Set<Integer> stops = new TreeSet<>(inner.stopIds());
    eos.ifPresent(stops::add);
    this.stopIds = Set.copyOf(stops);
  }

  @Override
  public int[] encode(CharSequence text) {
    return inner.encode(text);
  }

  @Override
  public int[] encode(CharSequence text, Specials specials) {
    return inner.encode(text, specials);
  }

  @Override
  public int[] encodeChat(List<ChatMessage> messages, boolean addGenerationPrompt) {
    return inner.encodeChat(messages, addGenerationPrompt);
  }

  @Override
  public String decode(int... ids) {
    return inner.decode(ids);
  }

  @Override
  public byte[] decodeBytes(int... ids) {
    return inner.decodeBytes(ids);
  }

  @Override
  public Decoder newDecoder() {
    return inner.newDecoder();
  }

  @Override
  public String piece(int id) {
    return inner.piece(id);
  }

  @Override
  public int vocabularySize() {
    return inner.vocabularySize();
  }

  @Override
  public OptionalInt bos() {
    return bos;
  }

  @Override
  public OptionalInt eos() {
    return eos;
  }

  @Override
  public Set<Integer> stopIds() {
    return stopIds;
  }

  @Override
  public boolean addsBos() {
    return addsBos;
  }

  @Override
  public Map<String, Integer> specialTokens() {
    return inner.specialTokens();
  }
}
