package dev.llama.spi;

import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import java.util.Map;
import java.util.Optional;

/** Makes tokenizers out of the files of one family. */
public interface TokenizerProvider {
  /**
   * Returns the family's name.
   *
   * @return for instance {@code "tiktoken"}
   */
  String name();

  /**
   * Opens a tokenizer if it is of this family.
   *
   * @param source contents of a file
   * @param options what the file leaves open
   * @return empty if the contents are of another family
   * @throws dev.llama.FormatException if they are of this family, but broken
   */
  Optional<Tokenizer> open(TokenizerSource source, TokenizerOptions options);

  /**
   * Returns a vocabulary as a GGUF file holds it, for writing such files.
   *
   * @param source contents of a file
   * @param options what the file leaves open
   * @return metadata that make an equal tokenizer of a {@link TokenizerSource.GgufVocabulary};
   *     integers are unsigned 32-bit numbers. Empty if the contents are of another family, or the
   *     family has no form in GGUF files
   * @throws dev.llama.FormatException if they are of this family, but broken, or GGUF cannot say
   *     what they ask for
   */
  default Optional<Map<String, Object>> ggufMetadata(
      TokenizerSource source, TokenizerOptions options) {
    return Optional.empty();
  }

  /**
   * Returns what cuts text into pieces before bytes are merged, for training a vocabulary.
   *
   * @param options the pattern; the other options have no influence
   * @return empty if this family's vocabularies are not trained this way
   * @throws dev.llama.InvalidInputException if the pattern is no regular expression
   */
  default Optional<TextSplitter> splitter(TokenizerOptions options) {
    return Optional.empty();
  }
}
