package dev.llama.core.tokenizer;

import dev.llama.FormatException;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.core.json.Fields;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What the files beside a vocabulary say: {@code special_tokens.json} (all special tokens, text to
 * id: this library's own convention), {@code tokenizer_config.json} and {@code added_tokens.json}
 * of Hugging Face.
 *
 * @param tokensFile the file that names tokens, for messages
 * @param specialTokens all special tokens, if special_tokens.json lists them
 * @param addedTokens tokens besides those of the vocabulary, or new names of them
 * @param bosToken text of the token that begins a text
 * @param eosToken text of the token that ends a text
 * @param addBos whether a prompt is to begin with it
 * @param chatTemplate how a dialog becomes a text, in the language of Jinja
 */
record TokenizerSettings(
    Path tokensFile,
    Optional<Map<String, Integer>> specialTokens,
    Map<String, Integer> addedTokens,
    Optional<String> bosToken,
    Optional<String> eosToken,
    Optional<Boolean> addBos,
    Optional<String> chatTemplate) {

  private static final long MAX_BYTES = 64 << 20;

  /** Reads the files beside a vocabulary, or above it where Meta's sits in {@code original}. */
  static TokenizerSettings beside(Path vocabulary) {
    List<Path> folders = new ArrayList<>();
    Path folder = vocabulary.toAbsolutePath().getParent();
    folders.add(folder);
    if (folder.endsWith("original")) {
      folders.add(folder.getParent());
    }
    Optional<Path> specials = first(folders, "special_tokens.json");
    Optional<Path> config = first(folders, "tokenizer_config.json");
    Optional<Path> added = first(folders, "added_tokens.json");
    Optional<Fields> fields = config.map(file -> Fields.read(file, MAX_BYTES));
    Optional<Map<String, Integer>> decoder = fields.flatMap(TokenizerSettings::addedTokensDecoder);
    Map<String, Integer> tokens =
        decoder.orElseGet(() -> added.map(TokenizerSettings::textToId).orElse(Map.of()));
    Path tokensFile = decoder.isPresent() ? config.get() : added.orElse(vocabulary);
    return new TokenizerSettings(
        specials.orElse(tokensFile),
        specials.map(TokenizerSettings::textToId),
        tokens,
        fields.flatMap(f -> content(f, "bos_token")),
        fields.flatMap(f -> content(f, "eos_token")),
        fields.flatMap(f -> f.optionalBoolean("add_bos_token")),
        // Some models have a list of templates here; there is no field for it in GGUF files.
        fields
            .map(f -> f.get("chat_template"))
            .filter(String.class::isInstance)
            .map(String.class::cast));
  }

  private static Optional<Path> first(List<Path> folders, String name) {
    for (Path folder : folders) {
      if (Files.isRegularFile(folder.resolve(name))) {
        return Optional.of(folder.resolve(name));
      }
    }
    return Optional.empty();
  }

  private static Map<String, Integer> textToId(Path file) {
    Fields fields = Fields.read(file, MAX_BYTES);
    Map<String, Integer> tokens = new LinkedHashMap<>();
    for (String text : fields.rest().keySet()) {
      tokens.put(text, id(fields, text, fields.requireInt(text)));
    }
    return tokens;
  }

  private static int id(Fields fields, String name, int id) {
    if (id < 0) {
      throw fields.error(name, "a token id");
    }
    return id;
  }

  /** {@code {"128000": {"content": "<|begin_of_text|>", ...}, ...}}. */
  private static Optional<Map<String, Integer>> addedTokensDecoder(Fields config) {
    String name = "added_tokens_decoder";
    Optional<Fields> decoder = config.optionalObject(name);
    if (!decoder.isPresent()) {
      return Optional.empty();
    }
    Map<String, Integer> tokens = new LinkedHashMap<>();
    for (String key : decoder.get().rest().keySet()) {
      int id;
      try {
        id = Integer.parseUnsignedInt(key);
      } catch (NumberFormatException e) {
        throw new FormatException(
            config.file(), name + " has the key \"" + key + "\", expected a token id", e);
      }
      Optional<String> text = content(decoder.get(), key);
      if (!text.isPresent() || id < 0) {
        throw decoder.get().error(key, "a token id with its content");
      }
      tokens.putIfAbsent(text.get(), id);
    }
    return Optional.of(tokens);
  }

  /** A token's text, plain or in an object. */
  private static Optional<String> content(Fields fields, String name) {
    return fields.get(name) instanceof Map<?, ?>
        ? fields.optionalObject(name).flatMap(token -> token.optionalString("content"))
        : fields.optionalString(name);
  }

  /**
   * Gives a tokenizer the tokens around a text that the files name, unless the caller set them.
   *
   * @param tokenizer from the vocabulary
   * @param options the caller's
   * @return the same one where nothing differs
   */
  Tokenizer apply(Tokenizer tokenizer, TokenizerOptions options) {
    OptionalInt bos = tokenizer.bos();
    OptionalInt eos = tokenizer.eos();
    if (!options.bos().isPresent() && bosToken.isPresent()) {
      bos = resolve(tokenizer, bosToken.get(), bos);
    }
    if (!options.eos().isPresent() && eosToken.isPresent()) {
      eos = resolve(tokenizer, eosToken.get(), eos);
    }
    boolean addsBos = bos.isPresent() && addBos.orElse(tokenizer.addsBos());
    boolean same =
        bos.equals(tokenizer.bos())
            && eos.equals(tokenizer.eos())
            && addsBos == tokenizer.addsBos();
    return same ? tokenizer : new FramedTokenizer(tokenizer, bos, eos, addsBos);
  }

  private OptionalInt resolve(Tokenizer tokenizer, String text, OptionalInt otherwise) {
    Integer id = tokenizer.specialTokens().get(text);
    if (id == null) {
      id = addedTokens.get(text);
    }
    return id == null || id >= tokenizer.vocabularySize() ? otherwise : OptionalInt.of(id);
  }
}
