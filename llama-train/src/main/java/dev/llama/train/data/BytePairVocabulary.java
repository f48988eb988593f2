package dev.llama.train.data;

import dev.llama.InvalidInputException;
import dev.llama.Tokenizer;
import dev.llama.TrainingException;
import dev.llama.core.json.Json;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/**
 * A byte-level vocabulary: the 256 single bytes, whose ids are their values, then merged tokens in
 * the order in which they are merged, then special tokens. Immutable.
 */
public final class BytePairVocabulary {
  /** Largest number of tokens: ten times Llama 3's. */
  static final int MAX_SIZE = 1 << 20;

  private static final int LLAMA3_SPECIAL_TOKENS = 256;
  private static final String RANKS = "tokenizer.model";
  private static final String SPECIALS = "special_tokens.json";

  private final List<byte[]> tokens;
  private final int specialTokens;

  BytePairVocabulary(List<byte[]> tokens, int specialTokens) {
    this.tokens = List.copyOf(tokens);
    this.specialTokens = specialTokens;
  }

  /**
   * Returns a vocabulary without merges: every byte is a token. For nucleotides, or any data whose
   * letters are to stay apart.
   *
   * @param specialTokens 0, or how many of Llama 3's 256 special tokens follow, at least 2
   * @return the vocabulary
   * @throws InvalidInputException if the number of special tokens is none of these
   */
  public static BytePairVocabulary ofBytes(int specialTokens) {
    requireSpecialTokens(specialTokens, 0);
    List<byte[]> bytes = new ArrayList<>();
    for (int b = 0; b < 256; b++) {
      bytes.add(new byte[] {(byte) b});
    }
    return new BytePairVocabulary(bytes, specialTokens);
  }

  static void requireSpecialTokens(int count, int least) {
    if (count < least || count == 1 || count > LLAMA3_SPECIAL_TOKENS) {
      throw new InvalidInputException(
          count
              + " special tokens, expected 2 (they begin and end a text) to "
              + LLAMA3_SPECIAL_TOKENS
              + (least == 0 ? ", or 0" : ""));
    }
  }

  /**
   * Returns the number of tokens, special ones included: {@code vocab_size} of a model.
   *
   * @return tokens
   */
  public int size() {
    return tokens.size() + specialTokens;
  }

  /**
   * Returns a token's bytes.
   *
   * @param id of a token that is not special
   * @return a copy
   */
  public byte[] token(int id) {
    return tokens.get(Objects.checkIndex(id, tokens.size())).clone();
  }

  /**
   * Writes the vocabulary as {@code tokenizer.model}, a file of tiktoken ranks, and the special
   * tokens as {@code special_tokens.json} unless they are what readers of ranks expect. Files of
   * these names are replaced, each at once and only when it is complete.
   *
   * @param folder made if it is not there
   * @return the tokenizer, as it is read from there
   * @throws TrainingException if the files cannot be written
   */
  public Tokenizer write(Path folder) {
    StringBuilder ranks = new StringBuilder();
    Base64.Encoder base64 = Base64.getEncoder();
    for (int id = 0; id < tokens.size(); id++) {
      ranks.append(base64.encodeToString(tokens.get(id))).append(' ').append(id).append('\n');
    }
    try {
      Files.createDirectories(folder);
      Files.deleteIfExists(folder.resolve(SPECIALS));
      replace(folder.resolve(RANKS), ranks.toString());
      boolean expected = specialTokens == (tokens.size() > 256 ? LLAMA3_SPECIAL_TOKENS : 0);
      if (!expected) {
        replace(folder.resolve(SPECIALS), Json.write(specialTokens()));
      }
    } catch (IOException e) {
      throw new TrainingException("cannot write the tokenizer into " + folder + ": " + e, e);
    }
    return Tokenizer.load(folder);
  }

  private static void replace(Path file, String content) throws IOException {
    Path partial = file.resolveSibling(file.getFileName() + ".partial");
    Files.writeString(partial, content, StandardCharsets.UTF_8);
    Files.move(partial, file, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
  }

  private Map<String, Integer> specialTokens() {
    Map<String, Integer> chosen = new LinkedHashMap<>();
    for (String name : SpecialTokenNames.LLAMA3.subList(0, specialTokens)) {
      chosen.put(name, tokens.size() + chosen.size());
    }
    return Collections.unmodifiableMap(chosen);
  }
}
