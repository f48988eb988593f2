package dev.llama.train.data;

import dev.llama.Tokenizer;
import dev.llama.TrainingException;
import dev.llama.train.BatchSource;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Documents in files, as batches of tokens. Opening reads all files once, so that a fault in them
 * is found before training begins; after that only what the next batches need is in memory, however
 * large the files are. They must not change while the data set is open.
 *
 * <pre>{@code
 * DataOptions options = DataOptions.of(List.of(Path.of("stories"))).validationFraction(0.05);
 * try (Dataset data = Dataset.open(options, Tokenizer.load(Path.of("tokenizer.model")))) {
 *   BatchSource training = data.training();
 * }
 * }</pre>
 *
 * <p>Sources are independent of one another; each is for one thread at a time.
 */
public final class Dataset implements AutoCloseable {
  private static final long VALIDATION_SEED = 0;

  private final DataOptions options;
  private final Tokenizer tokenizer;
  private final OptionalInt begin;
  private final OptionalInt end;
  private final Corpus training;
  private final Corpus validation; // the same one where a share is kept for validation

  private Dataset(
      DataOptions options,
      Tokenizer tokenizer,
      OptionalInt begin,
      OptionalInt end,
      Corpus training,
      Corpus validation) {
    this.options = options;
    this.tokenizer = tokenizer;
    this.begin = begin;
    this.end = end;
    this.training = training;
    this.validation = validation;
  }

  /**
   * Opens data whose documents begin and end with the tokenizer's own tokens for this, where it has
   * them.
   *
   * @param options which files, and how to read them
   * @param tokenizer of the model
   * @return the data
   * @throws dev.llama.FormatException if a file is missing, empty, without documents or broken:
   *     names file and line
   * @throws TrainingException if there are no documents on one side of the split
   */
  public static Dataset open(DataOptions options, Tokenizer tokenizer) {
    return open(options, tokenizer, tokenizer.bos(), tokenizer.eos());
  }

  /**
   * Opens data.
   *
   * @param options which files, and how to read them
   * @param tokenizer of the model
   * @param begin token before each document
   * @param end token behind each document
   * @return the data
   * @throws dev.llama.FormatException if a file is missing, empty, without documents or broken:
   *     names file and line
   * @throws TrainingException if there are no documents on one side of the split
   */
  public static Dataset open(
      DataOptions options, Tokenizer tokenizer, OptionalInt begin, OptionalInt end) {
    return open(options, tokenizer, begin, end, Corpus.BLOCK_BYTES);
  }

  static Dataset open(
      DataOptions options,
      Tokenizer tokenizer,
      OptionalInt begin,
      OptionalInt end,
      int blockBytes) {
    double fraction = options.validationFraction();
    Corpus training = new Corpus(options.files(), options, fraction, blockBytes);
    Corpus validation = training;
    try {
      if (!options.validationFiles().isEmpty()) {
        validation = new Corpus(options.validationFiles(), options, 1, blockBytes);
      }
      requireDocuments(
          fraction,
          training.documents(Corpus.Side.TRAINING),
          validation.documents(Corpus.Side.VALIDATION));
    } catch (RuntimeException e) {
      training.close();
      validation.close();
      throw e;
    }
    return new Dataset(options, tokenizer, begin, end, training, validation);
  }

  private static void requireDocuments(double fraction, long training, long validation) {
    if (training == 0 || fraction > 0 && validation == 0) {
      throw new TrainingException(
          "of "
              + (training + validation)
              + " documents "
              + validation
              + " are for validation, by a share of "
              + fraction
              + ": none are left on one side; give more data, or another share");
    }
  }

  /**
   * Returns batches for training, from the beginning of the data: endless, each pass in an order of
   * its own.
   *
   * @return a source of its own
   */
  public BatchSource training() {
    return source(training, Corpus.Side.TRAINING, options.seed(), options.shuffle(), true);
  }

  /**
   * Returns batches for validation: one pass, in an order that is always the same and mixes the
   * files, so that the first batches stand for all.
   *
   * @return a source of its own; empty if nothing was kept for validation
   */
  public Optional<BatchSource> validation() {
    return validationDocuments() == 0
        ? Optional.empty()
        : Optional.of(source(validation, Corpus.Side.VALIDATION, VALIDATION_SEED, true, false));
  }

  /**
   * Returns the number of documents in one pass.
   *
   * @return at least 1
   */
  public long trainingDocuments() {
    return training.documents(Corpus.Side.TRAINING);
  }

  /**
   * Returns the number of documents for validation.
   *
   * @return 0 if nothing was kept
   */
  public long validationDocuments() {
    return validation.documents(Corpus.Side.VALIDATION);
  }

  private BatchSource source(
      Corpus corpus, Corpus.Side side, long seed, boolean shuffle, boolean endless) {
    return new PackedSource(
        new DocumentStream(corpus, side, seed, shuffle),
        corpus.documents(side),
        endless,
        identity(corpus, side, seed, shuffle),
        tokenizer,
        begin,
        end);
  }

  /** What decides which batch is at a place: a state is good only where all of it is the same. */
  private Map<String, Object> identity(
      Corpus corpus, Corpus.Side side, long seed, boolean shuffle) {
    Map<String, Object> identity = new LinkedHashMap<>();
    identity.put("side", side.name());
    identity.put("documents", corpus.documents(side));
    identity.put("fingerprint of the documents", Long.toHexString(corpus.fingerprint()));
    identity.put("validation share", options.validationFraction());
    identity.put("seed", seed);
    identity.put("shuffle", shuffle);
    identity.put("vocabulary", tokenizer.vocabularySize());
    identity.put("begin token", begin.isPresent() ? begin.getAsInt() : -1);
    identity.put("end token", end.isPresent() ? end.getAsInt() : -1);
    return identity;
  }

  /** Deletes temporary files; sources are of no more use. Idempotent. */
  @Override
  public void close() {
    training.close();
    validation.close();
  }
}
