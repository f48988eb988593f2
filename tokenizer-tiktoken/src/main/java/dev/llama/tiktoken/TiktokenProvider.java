package dev.llama.tiktoken;

import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.spi.TextSplitter;
import dev.llama.spi.TokenizerProvider;
import dev.llama.spi.TokenizerSource;
import java.util.Map;
import java.util.Optional;

/**
 * Byte-level byte-pair encoding: the tokenizers of Llama 3 and later, from tiktoken ranks, {@code
 * tokenizer.json} and GGUF vocabularies.
 */
public final class TiktokenProvider implements TokenizerProvider {
  /** For {@link java.util.ServiceLoader}. */
  public TiktokenProvider() {}

  @Override
  public String name() {
    return "tiktoken";
  }

  @Override
  public Optional<Tokenizer> open(TokenizerSource source, TokenizerOptions options) {
    if (source instanceof TokenizerSource.ModelFile file) {
      return isProtobuf(file) ? Optional.empty() : Optional.of(RanksReader.read(file, options));
    }
    if (source instanceof TokenizerSource.HuggingFaceJson json) {
      return HuggingFaceReader.read(json, options);
    }
    return GgufReader.read((TokenizerSource.GgufVocabulary) source, options);
  }

  @Override
  public Optional<Map<String, Object>> ggufMetadata(
      TokenizerSource source, TokenizerOptions options) {
    if (source instanceof TokenizerSource.ModelFile file) {
      return isProtobuf(file)
          ? Optional.empty()
          : Optional.of(RanksReader.ggufMetadata(file, options));
    }
    if (source instanceof TokenizerSource.HuggingFaceJson json) {
      return HuggingFaceReader.ggufMetadata(json, options);
    }
    return Optional.of(((TokenizerSource.GgufVocabulary) source).metadata())
        .filter(GgufReader::recognises);
  }

  /**
   * A protobuf begins with a field tag, which for the fields of SentencePiece is a control
   * character; a text does not.
   */
  private static boolean isProtobuf(TokenizerSource.ModelFile file) {
    return file.bytes().length > 0 && file.bytes()[0] >= 0 && file.bytes()[0] < ' ';
  }

  @Override
  public Optional<TextSplitter> splitter(TokenizerOptions options) {
    Splitter splitter = RanksReader.splitter(options.pattern().orElse(SplitPattern.LLAMA3), false);
    return Optional.of((text, pieces) -> split(splitter, Utf8.encode(text), pieces));
  }

  private static void split(Splitter splitter, Utf8.Text text, TextSplitter.Pieces pieces) {
    splitter.split(
        text,
        0,
        text.length,
        (from, to) -> {
          if (from < to) {
            pieces.piece(text.bytes, from, to);
          }
        });
  }
}
