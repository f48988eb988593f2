package dev.llama.train;

import dev.llama.FormatException;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.core.tokenizer.TokenizerFiles;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A tokenizer with the files that it came from, which go into every checkpoint. The files are held
 * in memory: a checkpoint is complete even if they are gone by then.
 */
final class TokenizerCopy {
  /** What belongs to a tokenizer, wherever it comes from. */
  private static final List<String> BESIDE =
      List.of(
          "special_tokens.json",
          "tokenizer_config.json",
          "added_tokens.json",
          "special_tokens_map.json",
          "chat_template.jinja",
          "generation_config.json");

  private final Tokenizer tokenizer; // null if there is none
  private final Map<String, byte[]> files = new LinkedHashMap<>();

  private TokenizerCopy(Tokenizer tokenizer) {
    this.tokenizer = tokenizer;
  }

  static TokenizerCopy none() {
    return new TokenizerCopy(null);
  }

  /**
   * Opens a tokenizer that must be there.
   *
   * @param path file, or folder that holds one
   */
  static TokenizerCopy of(Path path) {
    TokenizerCopy copy = new TokenizerCopy(Tokenizer.load(path));
    if (Files.isDirectory(path)) {
      copy.readFolder(path);
    } else {
      boolean json = begins(path, "{");
      if (begins(path, "GGUF")) {
        throw new FormatException(
            path,
            "is a GGUF file; checkpoints need the tokenizer as tokenizer.model or tokenizer.json,"
                + " name one of those");
      }
      copy.read(path, json ? "tokenizer.json" : "tokenizer.model");
      copy.readBeside(path.toAbsolutePath().getParent());
    }
    return copy;
  }

  /** Opens the tokenizer of a model, if it has one. */
  static TokenizerCopy find(Path folder) {
    if (TokenizerFiles.find(folder, TokenizerOptions.defaults()).isPresent()) {
      return of(folder);
    }
    TokenizerCopy copy = none();
    copy.readBeside(folder);
    return copy;
  }

  /** The tokenizer, or {@code null}. */
  Tokenizer tokenizer() {
    return tokenizer;
  }

  /** Contents by the names that the files are to have in a checkpoint. */
  Map<String, byte[]> files() {
    return files;
  }

  private void readFolder(Path folder) {
    for (String name : List.of("tokenizer.json", "original/tokenizer.model", "tokenizer.model")) {
      if (Files.isRegularFile(folder.resolve(name))) {
        read(folder.resolve(name), name.substring(name.indexOf('/') + 1));
      }
    }
    readBeside(folder);
  }

  private void readBeside(Path folder) {
    for (String name : BESIDE) {
      if (Files.isRegularFile(folder.resolve(name))) {
        read(folder.resolve(name), name);
      }
    }
  }

  private void read(Path file, String name) {
    try {
      files.put(name, Files.readAllBytes(file));
    } catch (IOException e) {
      throw new FormatException(file, "cannot be read: " + e, e);
    }
  }

  private static boolean begins(Path file, String text) {
    try (InputStream in = Files.newInputStream(file)) {
      return new String(in.readNBytes(16), StandardCharsets.ISO_8859_1).trim().startsWith(text);
    } catch (IOException e) {
      throw new FormatException(file, "cannot be read: " + e, e);
    }
  }
}
