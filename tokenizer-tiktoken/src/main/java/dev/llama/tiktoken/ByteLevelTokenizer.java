package dev.llama.tiktoken;

import dev.llama.ChatMessage;
import dev.llama.InvalidInputException;
import dev.llama.Specials;
import dev.llama.Tokenizer;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;

/** Byte-pair encoding of UTF-8. Immutable. */
final class ByteLevelTokenizer implements Tokenizer {
  private final TokenBytes tokens;
  private final BytePairs pairs;
  private final AddedTokens added;
  private final Splitter splitter;
  private final boolean prefixesSpace;
  private final OptionalInt bos;
  private final OptionalInt eos;
  private final boolean addsBos;
  private final Set<Integer> stopIds;

  ByteLevelTokenizer(
      Definition definition,
      TokenBytes tokens,
      BytePairs pairs,
      AddedTokens added,
      Set<Integer> stopIds) {
    this.tokens = tokens;
    this.pairs = pairs;
    this.added = added;
    this.splitter = definition.splitter;
    this.prefixesSpace = definition.prefixesSpace;
    this.bos = definition.bos;
    this.eos = definition.eos;
    this.addsBos = definition.addsBos && definition.bos.isPresent();
    this.stopIds = Collections.unmodifiableSet(new LinkedHashSet<>(stopIds));
  }

  @Override
  public int[] encode(CharSequence text, Specials specials) {
    Utf8.Text utf8 = Utf8.encode(text);
    PieceEncoder encoder = new PieceEncoder(pairs, utf8);
    added.encode(utf8, specials, encoder, (from, to) -> ordinary(utf8, from, to, encoder));
    return encoder.ids();
  }

  private void ordinary(Utf8.Text text, int from, int to, PieceEncoder encoder) {
    if (prefixesSpace && text.bytes[from] != ' ') {
      byte[] copy = new byte[to - from + 1 + Utf8.PADDING];
      copy[0] = ' ';
      System.arraycopy(text.bytes, from, copy, 1, to - from);
      Utf8.Text prefixed = new Utf8.Text(copy, to - from + 1);
      PieceEncoder inner = new PieceEncoder(pairs, prefixed);
      splitter.split(prefixed, 0, prefixed.length, inner);
      encoder.appendAll(inner);
    } else {
      splitter.split(text, from, to, encoder);
    }
  }

  @Override
  public int[] encodeChat(List<ChatMessage> messages, boolean addGenerationPrompt) {
    Ids ids = new Ids();
    ids.add(special(Llama3.BEGIN_OF_TEXT));
    for (ChatMessage message : messages) {
      header(message.role(), ids);
      String content = message.content();
      if (message.toolCall() && content.startsWith(Llama3.PYTHON_TAG)) {
        ids.add(special(Llama3.PYTHON_TAG));
        content = content.substring(Llama3.PYTHON_TAG.length());
      }
      ids.add(encode(content));
      ids.add(special(message.toolCall() ? Llama3.END_OF_MESSAGE : Llama3.END_OF_TURN));
    }
    if (addGenerationPrompt) {
      header("assistant", ids);
    }
    return ids.toArray();
  }

  private void header(String role, Ids ids) {
    ids.add(special(Llama3.START_HEADER));
    ids.add(encode(role));
    ids.add(special(Llama3.END_HEADER));
    ids.add(encode("\n\n"));
  }

  private int special(String name) {
    Integer id = added.specials().get(name);
    if (id == null) {
      throw new InvalidInputException(
          "this vocabulary has no special token \""
              + name
              + "\", which the chat layout of Llama 3 needs; encode the dialog as the model's card"
              + " describes it, or name the token in TokenizerOptions.specialTokens");
    }
    return id;
  }

  @Override
  public String decode(int... ids) {
    return tokens.text(ids);
  }

  @Override
  public byte[] decodeBytes(int... ids) {
    return tokens.join(ids);
  }

  @Override
  public Decoder newDecoder() {
    return new TextDecoder(tokens, added);
  }

  @Override
  public String piece(int id) {
    byte[] bytes = tokens.get(id);
    return added.contains(id) ? Utf8.decode(bytes, bytes.length) : ByteAlphabet.write(bytes);
  }

  @Override
  public int vocabularySize() {
    return tokens.size();
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
    return added.specials();
  }

  /** A growing array of ids. */
  private static final class Ids {
    private int[] ids = new int[64];
    private int size;

    void add(int... more) {
      if (ids.length - size < more.length) {
        ids = Arrays.copyOf(ids, size + more.length + (size >> 1));
      }
      System.arraycopy(more, 0, ids, size, more.length);
      size += more.length;
    }

    int[] toArray() {
      return Arrays.copyOf(ids, size);
    }
  }
}
