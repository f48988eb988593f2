package dev.llama.train;

import dev.llama.FormatException;
import dev.llama.InvalidInputException;
import dev.llama.Layer;
import dev.llama.ModelConfig;
import dev.llama.ModelOptions;
import dev.llama.core.files.Checkpoint;
import dev.llama.core.files.GgufFile;
import dev.llama.core.files.TensorSource;
import dev.llama.core.files.WeightCheck;
import dev.llama.core.model.BackendChooser;
import dev.llama.core.model.RandomWeights;
import dev.llama.spi.Backend;
import dev.llama.spi.Tensor;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Gathers how a model is to be trained; {@link Trainer#builder} and its like make one. */
public final class TrainerBuilder {
  private static final Logger LOG = LoggerFactory.getLogger(TrainerBuilder.class);

  private final ModelConfig config;
  private final Path model; // null for random weights
  private final Path checkpoint; // null where training begins
  private Path tokenizer; // null for the model's own
  private int vocabSize; // 0 for the tokenizer's
  private int rows = 8;
  private int length;
  private int accumulation = 1;
  private AdamW optimizer = AdamW.defaults();
  private Schedule schedule = Schedule.constant(3e-4, 100);
  private double clip = 1;
  private OptionalDouble attentionDropout = OptionalDouble.empty();
  private boolean resetPositions = true;
  private long seed = 1;
  private boolean evaluationOnly;
  private ModelOptions modelOptions = ModelOptions.defaults();

  private TrainerBuilder(ModelConfig config, Path model, Path checkpoint) {
    this.config = config;
    this.model = model;
    this.checkpoint = checkpoint;
    length = Math.min(512, config.longestContext());
  }

  static TrainerBuilder of(ModelConfig config) {
    return new TrainerBuilder(Objects.requireNonNull(config, "config"), null, null);
  }

  static TrainerBuilder of(Path model) {
    if (!Files.isDirectory(model)) {
      throw new FormatException(
          model,
          !Files.exists(model)
              ? "there is no such folder"
              : GgufFile.isGguf(model)
                  ? "is a GGUF file, which cannot be trained; name the folder of safetensors that"
                      + " it was made from"
                  : "is a file, expected a folder with config.json and model.safetensors; for"
                      + " random weights pass the ModelConfig");
    }
    return new TrainerBuilder(ModelConfig.read(model), model, null);
  }

  static TrainerBuilder resume(Path checkpoint) {
    CheckpointReader.requireCheckpoint(checkpoint);
    return new TrainerBuilder(ModelConfig.read(checkpoint), checkpoint, checkpoint);
  }

  /**
   * Sets the tokenizer: its files go into the checkpoints, and embedding and output get as many
   * rows as it has ids, unless {@link #vocabSize} says otherwise. Default: that of the model's
   * folder; none for random weights.
   *
   * @param path tokenizer.model, tokenizer.json, or a folder that holds one
   * @return this
   */
  public TrainerBuilder tokenizer(Path path) {
    tokenizer = Objects.requireNonNull(path, "tokenizer");
    return this;
  }

  /**
   * Sets the number of rows of embedding and output: the model's are resized, which a notice tells.
   * Default: the number of ids of the tokenizer, or the model's own if there is none.
   *
   * @param ids at least as many as the tokenizer has
   * @return this
   */
  public TrainerBuilder vocabSize(int ids) {
    Values.atLeast(1, "vocab_size", ids);
    vocabSize = ids;
    return this;
  }

  /**
   * Sets the size of a batch: what goes through the model at once, and decides the memory. Default:
   * 8 rows of 512 tokens, or of the model's context if that is shorter.
   *
   * @param rows sequences
   * @param length tokens in each, at most the model's context
   * @return this
   */
  public TrainerBuilder batch(int rows, int length) {
    this.rows = rows;
    this.length = length;
    return this;
  }

  /**
   * Sets how many batches make a step: as if the batch were that many times larger, with the memory
   * of one. Default 1.
   *
   * @param batches at least 1
   * @return this
   */
  public TrainerBuilder accumulation(int batches) {
    accumulation = batches;
    return this;
  }

  /**
   * Sets the optimiser. Default: {@link AdamW#defaults()}.
   *
   * @param value its constants
   * @return this
   */
  public TrainerBuilder optimizer(AdamW value) {
    optimizer = Objects.requireNonNull(value, "optimizer");
    return this;
  }

  /**
   * Sets the learning rate. Default: 3e-4 after 100 steps of warm-up.
   *
   * @param value learning rate of each step
   * @return this
   */
  public TrainerBuilder schedule(Schedule value) {
    schedule = Objects.requireNonNull(value, "schedule");
    return this;
  }

  /**
   * Sets the largest Euclidean norm of all gradients together, to which they are scaled down
   * (Pascanu et al. 2013). Default 1.
   *
   * @param maxNorm above 0, or 0 for no clipping
   * @return this
   */
  public TrainerBuilder clip(double maxNorm) {
    clip = maxNorm;
    return this;
  }

  /**
   * Sets the probability with which an attention weight is dropped. Default: the configuration's
   * {@code attention_dropout}.
   *
   * @param probability in [0, 1)
   * @return this
   */
  public TrainerBuilder attentionDropout(double probability) {
    attentionDropout = OptionalDouble.of(probability);
    return this;
  }

  /**
   * Sets whether positions begin anew in each document of a row, or go on through the row. Default:
   * anew, as at inference.
   *
   * @param value whether they begin anew
   * @return this
   */
  public TrainerBuilder resetPositions(boolean value) {
    resetPositions = value;
    return this;
  }

  /**
   * Sets the seed of random weights and dropout. Default 1.
   *
   * @param value any number
   * @return this
   */
  public TrainerBuilder seed(long value) {
    seed = value;
    return this;
  }

  /**
   * Does without the memory for gradients and optimiser: {@link Trainer#evaluate} alone works.
   *
   * @return this
   */
  public TrainerBuilder evaluationOnly() {
    evaluationOnly = true;
    return this;
  }

  /**
   * Sets backend and threads. Default: the best backend that can train.
   *
   * @param value options; tokenizer and listener have no effect here
   * @return this
   */
  public TrainerBuilder options(ModelOptions value) {
    modelOptions = Objects.requireNonNull(value, "options");
    return this;
  }

  /**
   * Allocates everything.
   *
   * @return a trainer; close it to give the memory back
   * @throws InvalidInputException if options are out of range or contradict one another
   * @throws FormatException if a file is broken
   * @throws dev.llama.BackendException if no backend can train, or memory does not suffice
   */
  public Trainer build() {
    TrainerOptions options = options();
    List<String> notices = new ArrayList<>();
    TokenizerCopy copy =
        tokenizer != null
            ? TokenizerCopy.of(tokenizer)
            : model != null ? TokenizerCopy.find(model) : TokenizerCopy.none();
    ModelConfig fitted = Configs.fit(config, copy.tokenizer(), vocabSize, model != null, notices);
    if (checkpoint != null && fitted.vocabSize() != config.vocabSize()) {
      throw new InvalidInputException(
          "vocab_size is "
              + fitted.vocabSize()
              + ", the checkpoint has "
              + config.vocabSize()
              + ": a run keeps its vocabulary; begin a new one from the model");
    }
    if (length > config.longestContext()) {
      throw new InvalidInputException(
          "sequence length is " + length + ", the model has at most " + config.longestContext());
    }
    try (TensorSource files = model == null ? null : Checkpoint.open(model);
        CheckpointReader state =
            checkpoint == null ? null : CheckpointReader.open(checkpoint, config, notices)) {
      if (files != null) {
        WeightCheck.check(model, config.layers(), files);
      }
      if (state != null) {
        state.compare(options);
      }
      notices.forEach(LOG::info);
      BackendChooser.Choice choice = BackendChooser.choose(modelOptions, TrainerBuilder::unfit);
      Trainer trainer = new Trainer(new Start(fitted, copy, notices, files, seed), options, choice);
      return state == null ? trainer : restored(trainer, state);
    }
  }

  private static Trainer restored(Trainer trainer, CheckpointReader state) {
    try {
      trainer.restore(state);
      return trainer;
    } catch (RuntimeException | Error e) {
      trainer.close();
      throw e;
    }
  }

  private TrainerOptions options() {
    return new TrainerOptions(
        rows,
        length,
        accumulation,
        optimizer,
        schedule,
        clip,
        attentionDropout.orElse(config.attentionDropout()),
        resetPositions,
        seed,
        evaluationOnly,
        modelOptions);
  }

  private static Optional<String> unfit(Backend backend) {
    return backend.gradOps().isPresent()
        ? Optional.empty()
        : Optional.of("it has no gradients, so it cannot train; the backend cpu can");
  }

  /** What a trainer begins with. */
  record Start(
      ModelConfig config,
      TokenizerCopy tokenizer,
      List<String> notices,
      TensorSource files,
      long seed) {
    Function<Layer.Weight, Tensor> weights(Backend backend) {
      RandomWeights random = new RandomWeights(backend, seed, config.initializerRange());
      return new InitialWeights(backend, random, files);
    }
  }
}
