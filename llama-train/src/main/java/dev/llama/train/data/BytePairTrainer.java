package dev.llama.train.data;

import dev.llama.InvalidInputException;
import dev.llama.TokenizerOptions;
import dev.llama.TrainingException;
import dev.llama.spi.Providers;
import dev.llama.spi.TextSplitter;
import dev.llama.spi.TokenizerProvider;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.IntConsumer;

/**
 * Trains a byte-level byte-pair vocabulary, of the kind that Llama 3 has: text is cut into pieces,
 * and the most frequent pair of neighbouring tokens within pieces becomes a token, until there are
 * enough. The same texts give the same vocabulary, in whatever order they come.
 *
 * <pre>{@code
 * BytePairTrainer trainer = new BytePairTrainer(TokenizerOptions.defaults());
 * trainer.add(DataOptions.of(List.of(Path.of("stories"))));
 * trainer.train(4096, 256).write(Path.of("tokenizer"));
 * }</pre>
 *
 * <p>Only the different pieces are in memory, with their counts. For one thread at a time.
 */
public final class BytePairTrainer {
  /** A token longer than this is of no use outside the text that it comes from. */
  private static final int MAX_TOKEN_BYTES = 128;

  /** A pair has to occur this often. */
  private static final int MINIMUM_COUNT = 2;

  private final TextSplitter splitter;
  private final PieceCounts pieces = new PieceCounts();
  private long bytes;

  /**
   * Creates a trainer.
   *
   * @param options the split pattern; absent: that of Llama 3
   * @throws TrainingException if no tokenizer provider has a splitter
   * @throws InvalidInputException if the pattern is no regular expression
   */
  public BytePairTrainer(TokenizerOptions options) {
    this.splitter = splitter(options);
  }

  private static TextSplitter splitter(TokenizerOptions options) {
    List<Throwable> broken = new ArrayList<>();
    for (TokenizerProvider provider : Providers.find(TokenizerProvider.class, broken::add)) {
      Optional<TextSplitter> splitter = provider.splitter(options);
      if (splitter.isPresent()) {
        return splitter.get();
      }
    }
    TrainingException none =
        new TrainingException(
            "no provider of tokenizers cuts text into pieces; add dev.llama:tokenizer-tiktoken to"
                + " the class path");
    broken.forEach(none::addSuppressed);
    throw none;
  }

  /**
   * Adds a text.
   *
   * @param text counted piece by piece; what crosses its end is never a token
   */
  public void add(CharSequence text) {
    splitter.split(
        text,
        (utf8, from, to) -> {
          pieces.add(utf8, from, to);
          bytes += to - from;
        });
  }

  /**
   * Adds all documents of files.
   *
   * @param options which files, and how to read them; order and validation have no influence
   * @throws dev.llama.FormatException if a file is missing, empty or broken: names file and line
   */
  public void add(DataOptions options) {
    try (DataFiles files = new DataFiles(options.files(), options)) {
      for (int file = 0; file < files.count(); file++) {
        try (DocumentReader reader = files.open(file, 0, 1)) {
          for (String document = reader.next(); document != null; document = reader.next()) {
            add(document);
          }
        } catch (IOException e) {
          throw files.unreadable(file, e);
        }
      }
    }
  }

  /**
   * Returns how much text has been added.
   *
   * @return bytes of UTF-8
   */
  public long bytes() {
    return bytes;
  }

  /**
   * Trains a vocabulary on what has been added.
   *
   * @param size number of tokens: 256 single bytes, merges, and special tokens
   * @param specialTokens how many of these are special, the first ones of Llama 3's 256: at least
   *     2, which begin and end a text
   * @return a vocabulary of this size, or of fewer tokens if no pair occurs twice any more
   * @throws InvalidInputException if the sizes do not fit
   * @throws TrainingException if nothing has been added
   */
  public BytePairVocabulary train(int size, int specialTokens) {
    return train(size, specialTokens, tokens -> {});
  }

  /**
   * Trains a vocabulary on what has been added.
   *
   * @param size number of tokens: 256 single bytes, merges, and special tokens
   * @param specialTokens how many of these are special, the first ones of Llama 3's 256: at least
   *     2, which begin and end a text
   * @param listener is told the number of tokens after each merge
   * @return a vocabulary of this size, or of fewer tokens if no pair occurs twice any more
   * @throws InvalidInputException if the sizes do not fit
   * @throws TrainingException if nothing has been added
   */
  public BytePairVocabulary train(int size, int specialTokens, IntConsumer listener) {
    BytePairVocabulary.requireSpecialTokens(specialTokens, 2);
    int least = 257 + specialTokens;
    if (size < least || size > BytePairVocabulary.MAX_SIZE) {
      throw new InvalidInputException(
          "a vocabulary of "
              + size
              + " tokens, expected "
              + least
              + " (the bytes, a merge, and "
              + specialTokens
              + " special tokens) to "
              + BytePairVocabulary.MAX_SIZE);
    }
    if (pieces.size() == 0) {
      throw new TrainingException("no text to train a vocabulary on; add some");
    }
    PairMerger merger = new PairMerger(pieces);
    while (merger.tokens().size() < size - specialTokens
        && merger.merge(MINIMUM_COUNT, MAX_TOKEN_BYTES)) {
      listener.accept(merger.tokens().size() + specialTokens);
    }
    return new BytePairVocabulary(merger.tokens(), specialTokens);
  }
}
