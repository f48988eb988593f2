package dev.llama.cli;

import dev.llama.ChatMessage;
import dev.llama.InvalidInputException;
import dev.llama.Specials;
import dev.llama.Tokenizer;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;

/** A token for each byte, one that begins a text and one that ends it. */
final class FakeTokenizer implements Tokenizer {
  static final int BOS = 256;
  static final int EOS = 257;

  @Override
  public int[] encode(CharSequence text, Specials specials) {
    if (specials.contains("<s>") && text.toString().startsWith("<s>")) {
      return TokenIds.withBos(this, bytes(text.toString().substring(3)));
    }
    return bytes(text.toString());
  }

  private static int[] bytes(String text) {
    byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
    int[] ids = new int[bytes.length];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = bytes[i] & 0xff;
    }
    return ids;
  }

  @Override
  public int[] encodeChat(List<ChatMessage> messages, boolean addGenerationPrompt) {
    StringBuilder text = new StringBuilder();
    messages.forEach(message -> text.append(message.role().charAt(0)).append(message.content()));
    return bytes(text + (addGenerationPrompt ? "a" : ""));
  }

  @Override
  public String decode(int... ids) {
    return new String(decodeBytes(ids), StandardCharsets.UTF_8);
  }

  @Override
  public byte[] decodeBytes(int... ids) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    for (int id : ids) {
      if (id < 0 || id >= vocabularySize()) {
        throw new InvalidInputException("token id is " + id + ", expected 0 to 257");
      } else if (id < BOS) {
        bytes.write(id);
      }
    }
    return bytes.toByteArray();
  }

  @Override
  public Decoder newDecoder() {
    throw new UnsupportedOperationException("commands read the text from the generation");
  }

  @Override
  public String piece(int id) {
    return id == BOS ? "<s>" : id == EOS ? "</s>" : Character.toString(id);
  }

  @Override
  public int vocabularySize() {
    return 258;
  }

  @Override
  public OptionalInt bos() {
    return OptionalInt.of(BOS);
  }

  @Override
  public OptionalInt eos() {
    return OptionalInt.of(EOS);
  }

  @Override
  public Set<Integer> stopIds() {
    return Set.of(EOS);
  }

  @Override
  public boolean addsBos() {
    return true;
  }

  @Override
  public Map<String, Integer> specialTokens() {
    return Map.of("<s>", BOS, "</s>", EOS);
  }
}
