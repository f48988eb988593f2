package dev.llama.tiktoken;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Writes a byte-level vocabulary as the metadata of a GGUF file, as {@link GgufReader} reads it.
 */
final class GgufExport {
  private static final String PREFIX = "tokenizer.ggml.";

  private GgufExport() {}

  /**
   * Writes a vocabulary.
   *
   * @param definition tokens, splitter and ends
   * @param merges pairs of tokens with a space between them, earliest first
   */
  static Map<String, Object> of(Definition definition, List<String> merges) {
    int size = definition.size();
    List<String> tokens = new ArrayList<>(size);
    int[] types = new int[size];
    for (int id = 0; id < size; id++) {
      byte[] bytes = definition.token(id);
      boolean ordinary = definition.isOrdinary(id);
      types[id] = ordinary ? GgufReader.NORMAL : GgufReader.UNUSED;
      tokens.add(
          bytes == null
              ? "[PAD" + id + "]"
              : ordinary ? ByteAlphabet.write(bytes) : Utf8.decode(bytes, bytes.length));
    }
    Map<String, Object> metadata = new LinkedHashMap<>();
    for (AddedToken token : definition.added()) {
      if (token.stripsLeft() || token.stripsRight()) {
        throw definition.broken(
            "the added token \""
                + token.text()
                + "\" takes white space along (lstrip or rstrip), which GGUF cannot say; expected"
                + " neither");
      }
      tokens.set(token.id(), token.text());
      types[token.id()] = token.special() ? GgufReader.CONTROL : GgufReader.USER_DEFINED;
      String name = role(token);
      if (name != null) {
        metadata.put(PREFIX + name + "_token_id", (long) token.id());
      }
    }
    Map<String, Object> all = new LinkedHashMap<>();
    all.put(PREFIX + "model", "gpt2");
    all.put(PREFIX + "pre", pre(definition));
    all.put(PREFIX + "tokens", tokens);
    all.put(PREFIX + "token_type", types);
    all.put(PREFIX + "merges", merges);
    definition.bos.ifPresent(id -> all.put(PREFIX + "bos_token_id", (long) id));
    definition.eos.ifPresent(id -> all.put(PREFIX + "eos_token_id", (long) id));
    all.putAll(metadata);
    all.put(PREFIX + "add_bos_token", definition.addsBos);
    return all;
  }

  /** What a special token is for, where a key says so. */
  private static String role(AddedToken token) {
    return switch (token.special() ? token.text() : "") {
      case Llama3.END_OF_TURN -> "eot";
      case Llama3.END_OF_MESSAGE -> "eom";
      case "<|finetune_right_pad_id|>" -> "padding";
      default -> null;
    };
  }

  /** The name that llama.cpp has for a pattern, and for whether whole pieces come first. */
  private static String pre(Definition definition) {
    String pattern = definition.pattern;
    boolean whole = definition.wholePiecesFirst;
    if (!definition.prefixesSpace) {
      if (pattern.equals(SplitPattern.LLAMA3)) {
        return whole ? "llama-bpe" : "smaug-bpe";
      } else if (pattern.equals(SplitPattern.QWEN2) && !whole) {
        return "qwen2";
      } else if ((pattern.equals(SplitPattern.GPT2) || pattern.equals(SplitPattern.R50K))
          && !whole) {
        return "gpt-2";
      }
    }
    throw definition.broken(
        "splits text by "
            + Quote.of(pattern)
            + (definition.prefixesSpace ? " after a space in front" : "")
            + (whole ? ", tokens before merges" : "")
            + ", which GGUF has no name for; expected the patterns of Llama 3, Qwen 2 or GPT-2");
  }
}
