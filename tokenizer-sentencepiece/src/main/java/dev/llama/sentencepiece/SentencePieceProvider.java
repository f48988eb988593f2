package dev.llama.sentencepiece;

import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.spi.TokenizerProvider;
import dev.llama.spi.TokenizerSource;
import java.util.Map;
import java.util.Optional;

/**
 * Opens SentencePiece byte-pair vocabularies, the family of Llama 1 and 2, Code Llama and Mistral,
 * in all three kinds of file.
 */
public final class SentencePieceProvider implements TokenizerProvider {
  /** The first field of a model, its pieces: field 1, length-delimited. Ranks are never so. */
  private static final byte FIRST_BYTE = 0x0A;

  /** For the service loader. */
  public SentencePieceProvider() {}

  @Override
  public String name() {
    return "sentencepiece";
  }

  @Override
  public Optional<Tokenizer> open(TokenizerSource source, TokenizerOptions options) {
    Definition definition = definition(source);
    return definition == null
        ? Optional.empty()
        : Optional.of(new SentencePieceTokenizer(definition.with(options)));
  }

  @Override
  public Optional<Map<String, Object>> ggufMetadata(
      TokenizerSource source, TokenizerOptions options) {
    if (source instanceof TokenizerSource.GgufVocabulary gguf) {
      return Optional.of(gguf.metadata()).filter(GgufReader::recognises);
    }
    return Optional.ofNullable(definition(source)).map(d -> GgufExport.of(d.with(options)));
  }

  /** Reads a source; null if it is of another kind. */
  private static Definition definition(TokenizerSource source) {
    Definition definition = null;
    if (source instanceof TokenizerSource.ModelFile file) {
      if (file.bytes().length > 0 && file.bytes()[0] == FIRST_BYTE) {
        definition = ModelReader.read(file.origin(), file.bytes());
      }
    } else if (source instanceof TokenizerSource.HuggingFaceJson json) {
      if (HuggingFaceReader.recognises(json.document())) {
        definition = HuggingFaceReader.read(json.origin(), json.document());
      }
    } else if (source instanceof TokenizerSource.GgufVocabulary gguf) {
      if (GgufReader.recognises(gguf.metadata())) {
        definition = GgufReader.read(gguf.origin(), gguf.metadata());
      }
    }
    return definition;
  }
}
