package dev.llama.tiktoken;

import dev.llama.Tokenizer;
import java.util.Arrays;

/**
 * Decodes tokens one at a time. Special tokens count as if they were not there. The parts add up to
 * the text of all bytes together: what is broken becomes U+FFFD as soon as it is certain, one for
 * each maximal subpart.
 */
final class TextDecoder implements Tokenizer.Decoder {
  private final TokenBytes tokens;
  private final AddedTokens added;
  private byte[] held = new byte[64];
  private int size;

  TextDecoder(TokenBytes tokens, AddedTokens added) {
    this.tokens = tokens;
    this.added = added;
  }

  @Override
  public String append(int id) {
    byte[] bytes = tokens.get(id);
    if (added.isSpecial(id)) {
      return "";
    }
    if (size + bytes.length > held.length) {
      held = Arrays.copyOf(held, size + bytes.length);
    }
    System.arraycopy(bytes, 0, held, size, bytes.length);
    size += bytes.length;
    return take(Utf8.completeLength(held, size));
  }

  @Override
  public String flush() {
    return take(size);
  }

  private String take(int length) {
    String text = Utf8.decode(held, length);
    size -= length;
    System.arraycopy(held, length, held, 0, size);
    return text;
  }
}
