package dev.llama.tiktoken;

import dev.llama.FormatException;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.spi.Texts;
import dev.llama.spi.TokenizerSource;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** Reads the byte-level vocabulary inside a GGUF file. */
final class GgufReader {
  private static final String PREFIX = "tokenizer.ggml.";

  // Values of token_type.
  static final int NORMAL = 1;
  private static final int UNKNOWN = 2;
  static final int CONTROL = 3;
  static final int USER_DEFINED = 4;
  static final int UNUSED = 5;

  private final Path origin;
  private final Map<String, Object> metadata;
  private final Texts tokens;
  private final Definition definition;
  private byte[] buffer = new byte[Definition.MAX_TOKEN_BYTES];

  private GgufReader(TokenizerSource.GgufVocabulary source) {
    origin = source.origin();
    metadata = source.metadata();
    tokens = strings("tokens");
    definition = new Definition(origin, tokens.size());
  }

  /** Reads a vocabulary unless it is of another family. */
  static Optional<Tokenizer> read(TokenizerSource.GgufVocabulary source, TokenizerOptions options) {
    return recognises(source.metadata())
        ? Optional.of(new GgufReader(source).tokenizer(options))
        : Optional.empty();
  }

  /** Returns whether a vocabulary is of this family. */
  static boolean recognises(Map<String, Object> metadata) {
    return "gpt2".equals(metadata.get(PREFIX + "model"));
  }

  private Tokenizer tokenizer(TokenizerOptions options) {
    readTokens();
    boolean llama3 = readSplitter(options);
    definition.wholePiecesFirst = llama3;
    definition.bos = id("bos_token_id");
    definition.eos = id("eos_token_id");
    definition.stop(id("eot_token_id"));
    definition.stop(id("eom_token_id"));
    definition.addsBos = flag("add_bos_token", llama3);
    definition.apply(options);
    return definition.build(
        (bytes, table) ->
            new MergeList(definition, PREFIX + "merges").table(strings("merges"), table));
  }

  private void readTokens() {
    int[] types = types();
    for (int id = 0; id < tokens.size(); id++) {
      int type = types == null ? NORMAL : types[id];
      if (type != NORMAL || !readOrdinary(id)) {
        readOther(id, type);
      }
    }
  }

  /** Returns whether it is one: all of its characters must be of the alphabet. */
  private boolean readOrdinary(int id) {
    int start = tokens.start(id);
    int end = tokens.end(id);
    if (end - start > buffer.length) {
      buffer = new byte[end - start];
    }
    int length = ByteAlphabet.read(tokens.bytes(), start, end, buffer, 0);
    if (length >= 0) {
      definition.ordinary(id, buffer, length);
    }
    return length >= 0;
  }

  private void readOther(int id, int type) {
    String text = tokens.get(id);
    if (type == CONTROL || type == UNKNOWN) {
      definition.added(AddedToken.special(text, id));
    } else if (type == USER_DEFINED) {
      definition.added(new AddedToken(text, id, false, false, false, false));
    } else if (type == UNUSED || type == NORMAL) {
      definition.decodeOnly(id, text);
    } else {
      throw definition.broken(
          PREFIX + "token_type[" + id + "] is " + type + "; a gpt2 vocabulary has types 1 to 5");
    }
  }

  private int[] types() {
    Object types = metadata.get(PREFIX + "token_type");
    if (types == null) {
      return null;
    }
    if (types instanceof int[] array && array.length == tokens.size()) {
      return array;
    }
    throw wrong("token_type", types, "an array of " + tokens.size() + " integers, as of tokens");
  }

  /** Chooses the splitter; returns whether it is one of Llama 3. */
  private boolean readSplitter(TokenizerOptions options) {
    Object pre = metadata.get(PREFIX + "pre");
    boolean llama3 = List.of("llama3", "llama-v3", "llama-bpe").contains(String.valueOf(pre));
    String pattern;
    if (options.pattern().isPresent()) {
      pattern = options.pattern().get();
    } else if (llama3 || "smaug-bpe".equals(pre)) {
      pattern = SplitPattern.LLAMA3;
    } else if ("qwen2".equals(pre)) {
      pattern = SplitPattern.QWEN2;
    } else if ("gpt-2".equals(pre)) {
      pattern = SplitPattern.GPT2;
    } else {
      throw new FormatException(
          origin,
          PREFIX
              + "pre is "
              + Quote.of(pre)
              + ", which is not implemented; supported are llama-bpe, llama3, llama-v3, smaug-bpe,"
              + " qwen2 and gpt-2; for another, give the split pattern by"
              + " TokenizerOptions.pattern");
    }
    definition.splitter = RanksReader.splitter(pattern, true);
    return llama3;
  }

  private Texts strings(String key) {
    Object value = metadata.get(PREFIX + key);
    if (value instanceof Texts texts) {
      return texts;
    }
    if (!(value instanceof List<?> list)) {
      throw wrong(key, value, "an array of strings");
    }
    for (Object element : list) {
      if (!(element instanceof String)) {
        throw wrong(key, element, "strings only");
      }
    }
    @SuppressWarnings("unchecked")
    List<String> strings = (List<String>) list;
    return Texts.of(strings);
  }

  private OptionalInt id(String key) {
    Object value = metadata.get(PREFIX + key);
    if (value == null) {
      return OptionalInt.empty();
    }
    if (value instanceof Long id && id >= 0 && id < tokens.size()) {
      return OptionalInt.of(id.intValue());
    }
    throw wrong(key, value, "an id below " + tokens.size() + ", the number of tokens");
  }

  private boolean flag(String key, boolean absent) {
    Object value = metadata.get(PREFIX + key);
    if (value == null) {
      return absent;
    }
    if (value instanceof Boolean flag) {
      return flag;
    }
    throw wrong(key, value, "true or false");
  }

  private FormatException wrong(String key, Object value, String expected) {
    String found =
        value == null
            ? " is missing"
            : value instanceof int[] array
                ? " has " + array.length + " entries"
                : " is " + Quote.of(value);
    return new FormatException(origin, PREFIX + key + found + "; expected " + expected);
  }
}
