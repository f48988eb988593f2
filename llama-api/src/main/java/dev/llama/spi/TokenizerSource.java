package dev.llama.spi;

import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** The contents of a file that holds a tokenizer, read but not yet interpreted. */
public sealed interface TokenizerSource {
  /**
   * Returns where it comes from.
   *
   * @return the file, for messages
   */
  Path origin();

  /**
   * A {@code tokenizer.model}: tiktoken ranks or a SentencePiece model.
   *
   * @param origin the file
   * @param bytes all of it; not to be modified
   */
  record ModelFile(Path origin, byte[] bytes) implements TokenizerSource {}

  /**
   * A {@code tokenizer.json} of Hugging Face tokenizers.
   *
   * @param origin the file
   * @param document the JSON object: Map, List, String, Long, Double, Boolean or null
   */
  record HuggingFaceJson(Path origin, Map<String, Object> document) implements TokenizerSource {
    /** Protects the map; JSON may hold nulls. */
    public HuggingFaceJson {
      document = Collections.unmodifiableMap(new LinkedHashMap<>(document));
    }
  }

  /**
   * The vocabulary inside a GGUF file.
   *
   * @param origin the file
   * @param metadata all keys that begin with {@code "tokenizer."}: Long, Double, Boolean, String,
   *     or for arrays List of String (out of files: {@link Texts}) and int[], float[]
   */
  record GgufVocabulary(Path origin, Map<String, Object> metadata) implements TokenizerSource {
    /** Protects the map. */
    public GgufVocabulary {
      metadata = Collections.unmodifiableMap(new LinkedHashMap<>(metadata));
    }
  }
}
