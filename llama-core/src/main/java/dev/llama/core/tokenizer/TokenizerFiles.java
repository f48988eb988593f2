package dev.llama.core.tokenizer;

import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.LlamaException;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.core.files.GgufFile;
import dev.llama.core.json.Json;
import dev.llama.spi.Providers;
import dev.llama.spi.TokenizerProvider;
import dev.llama.spi.TokenizerSource;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Opens the tokenizer of a model. The vocabulary file says what text becomes which ids; the files
 * beside it ({@link TokenizerSettings}) add tokens and name those around a text. What {@link
 * TokenizerOptions} sets counts before either.
 */
public final class TokenizerFiles {
  /** Ten times the largest published vocabulary. */
  private static final long MAX_BYTES = 256 << 20;

  /** In a folder, the first of these that some provider understands. */
  private static final List<String> NAMES =
      List.of("tokenizer.model", "original/tokenizer.model", "tokenizer.json");

  private TokenizerFiles() {}

  /**
   * Opens a tokenizer.
   *
   * @param path a tokenizer.model, a tokenizer.json, a folder that holds one, or a GGUF file
   * @param options what counts before the files
   * @return the tokenizer
   * @throws FormatException if there is none, it is broken, or no provider understands it
   * @throws InvalidInputException if {@code options} do not fit the vocabulary
   */
  public static Tokenizer load(Path path, TokenizerOptions options) {
    if (GgufFile.isGguf(path)) {
      try (GgufFile gguf = GgufFile.open(path)) {
        return fromGguf(path, gguf.metadata(), options);
      }
    }
    if (!Files.isDirectory(path)) {
      return open(List.of(path), options);
    }
    return find(path, options)
        .orElseThrow(
            () ->
                new FormatException(
                    path, "has no tokenizer; looked for " + String.join(", ", NAMES)));
  }

  /**
   * Opens the tokenizer in a folder, if it has one.
   *
   * @param folder the model
   * @param options what counts before the files
   * @return empty if the folder has no file of a tokenizer
   * @throws FormatException if it has one that is broken or that no provider understands
   * @throws InvalidInputException if {@code options} do not fit the vocabulary
   */
  public static Optional<Tokenizer> find(Path folder, TokenizerOptions options) {
    List<Path> files = existing(folder);
    return files.isEmpty() ? Optional.empty() : Optional.of(open(files, options));
  }

  private static List<Path> existing(Path folder) {
    List<Path> files = new ArrayList<>();
    for (String name : NAMES) {
      Path file = folder.resolve(name);
      if (Files.exists(file)) {
        files.add(file);
      }
    }
    return files;
  }

  /**
   * Opens the vocabulary inside a GGUF file.
   *
   * @param file the GGUF file
   * @param metadata its metadata; keys that do not begin with {@code "tokenizer."} are passed over
   * @param options what counts before the file
   * @return the tokenizer
   * @throws FormatException if there is no vocabulary, it is broken, or no provider understands it
   * @throws InvalidInputException if {@code options} do not fit the vocabulary
   */
  public static Tokenizer fromGguf(
      Path file, Map<String, Object> metadata, TokenizerOptions options) {
    Map<String, Object> vocabulary = new LinkedHashMap<>();
    for (Map.Entry<String, Object> entry : metadata.entrySet()) {
      if (entry.getKey().startsWith("tokenizer.")) {
        vocabulary.put(entry.getKey(), entry.getValue());
      }
    }
    if (vocabulary.isEmpty()) {
      throw new FormatException(
          file, "holds no vocabulary: no key begins with \"tokenizer.\"; pass a tokenizer");
    }
    Asked asked = new Asked();
    Optional<Tokenizer> tokenizer =
        asked.open(new TokenizerSource.GgufVocabulary(file, vocabulary), options);
    if (!tokenizer.isPresent()) {
      throw asked.failure(List.of(file));
    }
    return tokenizer.get();
  }

  /**
   * Returns the tokenizer of a folder as a GGUF file holds it.
   *
   * @param folder the model
   * @return metadata of strings, Long, Boolean, int[], float[] and lists of strings; empty if the
   *     folder has no file of a tokenizer
   * @throws FormatException if it has one that is broken, that no provider understands, or that has
   *     no form in GGUF files
   */
  public static Optional<Map<String, Object>> ggufMetadata(Path folder) {
    List<Path> files = existing(folder);
    if (files.isEmpty()) {
      return Optional.empty();
    }
    Asked asked = new Asked();
    Tokenizer tokenizer = open(asked, files, TokenizerOptions.defaults());
    Map<String, Object> metadata = new LinkedHashMap<>(asked.ggufMetadata());
    String prefix = "tokenizer.ggml.";
    tokenizer.bos().ifPresent(id -> metadata.put(prefix + "bos_token_id", (long) id));
    tokenizer.eos().ifPresent(id -> metadata.put(prefix + "eos_token_id", (long) id));
    metadata.put(prefix + "add_bos_token", tokenizer.addsBos());
    TokenizerSettings.beside(files.get(0))
        .chatTemplate()
        .ifPresent(template -> metadata.put("tokenizer.chat_template", template));
    return Optional.of(metadata);
  }

  private static Tokenizer open(List<Path> files, TokenizerOptions options) {
    return open(new Asked(), files, options);
  }

  private static Tokenizer open(Asked asked, List<Path> files, TokenizerOptions options) {
    for (Path file : files) {
      TokenizerSource source = read(file);
      TokenizerSettings settings = TokenizerSettings.beside(file);
      Optional<Tokenizer> tokenizer =
          source instanceof TokenizerSource.ModelFile
              ? withAddedTokens(asked, source, settings, options)
              : asked.open(source, options);
      if (tokenizer.isPresent()) {
        return settings.apply(tokenizer.get(), options);
      }
    }
    throw asked.failure(files);
  }

  private static TokenizerSource read(Path file) {
    Json.requireReadable(file, MAX_BYTES);
    byte[] start = start(file);
    if (GgufFile.isGguf(file)) {
      throw new FormatException(file, "is a GGUF file, expected ranks or a SentencePiece model");
    }
    // No rank file and no SentencePiece model begins with a brace.
    if (new String(start, StandardCharsets.US_ASCII).trim().startsWith("{")) {
      return new TokenizerSource.HuggingFaceJson(file, Json.readObject(file, MAX_BYTES));
    }
    try {
      return new TokenizerSource.ModelFile(file, Files.readAllBytes(file));
    } catch (IOException e) {
      throw new FormatException(file, "cannot be read: " + e, e);
    }
  }

  private static byte[] start(Path file) {
    byte[] start = new byte[16];
    try (InputStream in = Files.newInputStream(file)) {
      return Arrays.copyOf(start, Math.max(in.read(start), 0));
    } catch (IOException e) {
      throw new FormatException(file, "cannot be read: " + e, e);
    }
  }

  /**
   * A tokenizer.model knows only the tokens that it was trained with; those that a fine-tuned model
   * added are in the files beside it. A tokenizer.json lists its own.
   */
  private static Optional<Tokenizer> withAddedTokens(
      Asked asked, TokenizerSource source, TokenizerSettings settings, TokenizerOptions options) {
    if (!options.specialTokens().isEmpty()) {
      return asked.open(source, options);
    }
    if (settings.specialTokens().isPresent()) {
      return asked.open(source, settings, options.specialTokens(settings.specialTokens().get()));
    }
    Optional<Tokenizer> plain = asked.open(source, options);
    Map<String, Integer> added = settings.addedTokens();
    if (!plain.isPresent()
        || plain.get().specialTokens().entrySet().containsAll(added.entrySet())) {
      return plain;
    }
    Map<String, Integer> all = new HashMap<>(plain.get().specialTokens());
    all.values().removeAll(added.values()); // the same id under a newer name
    all.putAll(added);
    return asked.open(source, settings, options.specialTokens(all));
  }

  /** The providers, and what became of asking them. */
  private static final class Asked {
    private final List<String> answers = new ArrayList<>();
    private final List<Throwable> failures = new ArrayList<>();
    private final List<TokenizerProvider> providers =
        Providers.find(TokenizerProvider.class, failures::add);

    // What was opened last, and by whom.
    private TokenizerProvider opened;
    private TokenizerSource openedSource;
    private TokenizerOptions openedOptions;

    /** Returns what was opened last as a GGUF file holds it. */
    Map<String, Object> ggufMetadata() {
      return opened
          .ggufMetadata(openedSource, openedOptions)
          .orElseThrow(
              () ->
                  new FormatException(
                      openedSource.origin(),
                      "the provider " + opened.name() + " cannot write it as a GGUF vocabulary"));
    }

    /** Opens with special tokens from a file, whose faults are then the file's. */
    Optional<Tokenizer> open(
        TokenizerSource source, TokenizerSettings settings, TokenizerOptions options) {
      try {
        return open(source, options);
      } catch (InvalidInputException e) {
        throw new FormatException(settings.tokensFile(), e.getMessage(), e);
      }
    }

    Optional<Tokenizer> open(TokenizerSource source, TokenizerOptions options) {
      for (TokenizerProvider provider : providers) {
        try {
          Optional<Tokenizer> tokenizer = provider.open(source, options);
          if (tokenizer.isPresent()) {
            opened = provider;
            openedSource = source;
            openedOptions = options;
            return tokenizer;
          }
          answers.add(provider.name() + ": of another kind");
        } catch (LlamaException e) {
          throw e;
        } catch (RuntimeException | LinkageError e) { // a fault of one must not hide the others
          answers.add(provider.name() + ": " + e);
          failures.add(e);
        }
      }
      return Optional.empty();
    }

    FormatException failure(List<Path> files) {
      String cure =
          "; add dev.llama:tokenizer-tiktoken (byte-pair ranks, Llama 3) or"
              + " dev.llama:tokenizer-sentencepiece (Llama 1 and 2) to the class path";
      String problem =
          providers.isEmpty()
              ? "no provider of tokenizers is there" + cure
              : "no provider of tokenizers understands it ("
                  + String.join("; ", answers)
                  + ")"
                  + cure;
      FormatException e = new FormatException(files.get(0), problem);
      failures.forEach(e::addSuppressed);
      return e;
    }
  }
}
