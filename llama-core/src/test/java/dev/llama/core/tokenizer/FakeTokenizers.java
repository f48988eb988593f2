package dev.llama.core.tokenizer;

import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.Specials;
import dev.llama.Tokenizer;
import dev.llama.TokenizerOptions;
import dev.llama.spi.TokenizerProvider;
import dev.llama.spi.TokenizerSource;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/** A family of tokenizers whose files hold the word fake; ids 0 to 9 and what options add. */
public final class FakeTokenizers implements TokenizerProvider {
  @Override
  public String name() {
    return "fake";
  }

  @Override
  public Optional<Tokenizer> open(TokenizerSource source, TokenizerOptions options) {
    Path file = source.origin();
    if (source instanceof TokenizerSource.ModelFile model) {
      String text = new String(model.bytes(), StandardCharsets.UTF_8);
      if (text.contains("broken")) {
        throw new FormatException(file, "is broken");
      }
      return text.startsWith("fake") ? Optional.of(fake(file, options, 0)) : Optional.empty();
    } else if (source instanceof TokenizerSource.HuggingFaceJson json) {
      return json.document().containsKey("fake")
          ? Optional.of(fake(file, options, 0))
          : Optional.empty();
    }
    Map<String, Object> metadata = ((TokenizerSource.GgufVocabulary) source).metadata();
    return "fake".equals(metadata.get("tokenizer.ggml.model"))
        ? Optional.of(fake(file, options, metadata.size()))
        : Optional.empty();
  }

  private static Tokenizer fake(Path file, TokenizerOptions options, int keys) {
    options
        .specialTokens()
        .forEach(
            (text, id) -> {
              if (id > 20) {
                throw new InvalidInputException(text + " has id " + id);
              }
            });
    return new Fake(file, options, keys);
  }

  /** A provider with a fault of its own. */
  public static final class Broken implements TokenizerProvider {
    @Override
    public String name() {
      return "broken";
    }

    @Override
    public Optional<Tokenizer> open(TokenizerSource source, TokenizerOptions options) {
      throw new IllegalStateException("out of order");
    }
  }

  record Fake(Path file, TokenizerOptions options, int keys) implements Tokenizer {
    @Override
    public int[] encode(CharSequence text, Specials specials) {
      return new int[] {3, 4};
    }

    @Override
    public String decode(int... ids) {
      return "";
    }

    @Override
    public byte[] decodeBytes(int... ids) {
      return new byte[0];
    }

    @Override
    public Decoder newDecoder() {
      throw new UnsupportedOperationException();
    }

    /** Which file it was: its name, its folder's, or the number of keys. */
    @Override
    public String piece(int id) {
      return id == 2
          ? keys + " keys"
          : (id == 1 ? file.getParent() : file).getFileName().toString();
    }

    @Override
    public int vocabularySize() {
      return 21;
    }

    @Override
    public OptionalInt bos() {
      return options.bos().isPresent() ? options.bos() : OptionalInt.of(1);
    }

    @Override
    public OptionalInt eos() {
      return options.eos().isPresent() ? options.eos() : OptionalInt.of(2);
    }

    @Override
    public Set<Integer> stopIds() {
      return Set.of(2);
    }

    @Override
    public boolean addsBos() {
      return true;
    }

    @Override
    public Map<String, Integer> specialTokens() {
      return options.specialTokens().isEmpty()
          ? Map.of("<s>", 1, "</s>", 2)
          : options.specialTokens();
    }
  }
}
