package dev.llama.train;

import dev.llama.BackendInfo;
import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.ModelConfig;
import dev.llama.Tokenizer;
import dev.llama.TrainingException;
import dev.llama.core.config.RopeFrequencies;
import dev.llama.core.model.BackendChooser;
import dev.llama.spi.Backend;
import dev.llama.spi.Batch;
import dev.llama.spi.GradOps;
import dev.llama.spi.RopeTable;
import dev.llama.spi.Step;
import dev.llama.spi.Tensor;
import dev.llama.train.Parameters.Parameter;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A model in training: weights in F32, gradients, optimiser and the memory of a batch, all on one
 * backend, all allocated when it is made. {@link #step} takes batches and improves the weights;
 * {@link TrainingRun} does that many times, and keeps checkpoints. For one thread at a time.
 *
 * <pre>{@code
 * try (Trainer trainer =
 *     Trainer.builder(ModelConfig.preset("tiny"))
 *         .batch(8, 512)
 *         .schedule(Schedule.cosine(1e-3, 100, 2000))
 *         .build()) {
 *   while (trainer.steps() < 2000) {
 *     System.out.println(trainer.step(source).loss());
 *   }
 *   trainer.saveModel(Path.of("model"), DType.BF16);
 * }
 * }</pre>
 */
public final class Trainer implements AutoCloseable {
  private final TrainerOptions options;
  private final ModelConfig config;
  private final TokenizerCopy tokenizer;
  private final List<String> notices;
  private final BackendInfo backendInfo;
  private final Backend backend;
  private final HostCopies copies;
  private final Parameters parameters;
  private final List<AutoCloseable> owned = new ArrayList<>();
  private final Activations activations;
  private final Batch batch;
  private final Step trainStep;
  private final Step evaluateStep;
  private final Optimizer optimizer;
  private final DropoutSeed dropout;
  private final TokenBatch[] batches;
  private final ByteBuffer hostRows; // F32 or I32 [rows * length]
  private final ByteBuffer hostNumber; // F32 [1]
  private long steps;
  private long tokensSeen;
  private String position;
  private boolean closed;

  /**
   * Trains a model from random weights: matrices Normal(0, initializer_range), norms 1, biases 0.
   *
   * @param config the architecture
   * @return a builder
   */
  public static TrainerBuilder builder(ModelConfig config) {
    return TrainerBuilder.of(config);
  }

  /**
   * Trains a model further.
   *
   * @param model folder with config.json and weights as safetensors, in F32, BF16 or F16; they are
   *     turned into F32. A tokenizer in it goes into the checkpoints
   * @return a builder
   * @throws dev.llama.FormatException if there is no model in this form
   */
  public static TrainerBuilder builder(Path model) {
    return TrainerBuilder.of(model);
  }

  /**
   * Goes on with training. With the same options, data and number of threads the losses are the
   * same, to the last bit, as if it had never stopped.
   *
   * @param checkpoint a folder that {@link #saveCheckpoint} wrote
   * @return a builder, whose options have to be set as they were
   * @throws dev.llama.FormatException if the checkpoint is broken
   * @throws TrainingException if it is a model without the optimiser's state
   */
  public static TrainerBuilder resume(Path checkpoint) {
    return TrainerBuilder.resume(checkpoint);
  }

  Trainer(TrainerBuilder.Start start, TrainerOptions options, BackendChooser.Choice choice) {
    this.options = options;
    config = start.config();
    tokenizer = start.tokenizer();
    notices = start.notices();
    backendInfo = choice.info();
    backend = choice.backend();
    copies = new HostCopies(backend);
    int rows = Math.multiplyExact(options.rows(), options.length());
    boolean trained = !options.evaluationOnly();
    try {
      GradOps grad = backend.gradOps().orElseThrow();
      parameters = own(Parameters.make(config.layers(), start.weights(backend), backend, trained));
      activations = own(new Activations(backend, config, rows, trained));
      batch = own(backend.newBatch(rows));
      dropout = own(new DropoutSeed(backend, options));
      RopeTable rope = rope(options.length());
      Network network =
          new Network(
              config, parameters, activations, rope, backend.ops(), grad, dropout.dropout());
      trainStep =
          own(
              backend.record(
                  () -> {
                    network.forward(batch, true);
                    network.lossAndGradient();
                    network.backward(batch);
                  }));
      evaluateStep =
          own(
              backend.record(
                  () -> {
                    network.forward(batch, false);
                    network.loss();
                  }));
      optimizer = own(new Optimizer(backend, grad, parameters, options.optimizer()));
    } catch (RuntimeException | Error e) {
      close();
      throw e;
    }
    batches = new TokenBatch[options.accumulation()];
    for (int i = 0; i < batches.length; i++) {
      batches[i] = new TokenBatch(options.rows(), options.length());
    }
    hostRows = buffer(rows);
    hostNumber = buffer(1);
  }

  private <T extends AutoCloseable> T own(T resource) {
    owned.add(0, resource); // closed in the reverse order
    return resource;
  }

  private static ByteBuffer buffer(int elements) {
    return ByteBuffer.allocateDirect(Math.multiplyExact(elements, Float.BYTES))
        .order(ByteOrder.LITTLE_ENDIAN);
  }

  /** With dynamic scaling, the frequencies are those of a sequence as long as a row. */
  private RopeTable rope(int length) {
    float[] frequencies = RopeFrequencies.inverseFrequencies(config, length);
    Tensor tensor = own(backend.allocate(DType.F32, frequencies.length));
    ByteBuffer bytes = buffer(frequencies.length);
    bytes.asFloatBuffer().put(frequencies);
    backend.write(tensor, bytes);
    return new RopeTable(tensor, RopeFrequencies.magnitude(config), RopeTable.Pairing.HALVES);
  }

  /**
   * Does one step: gradients over as many batches as {@link TrainerBuilder#accumulation} says, each
   * target weighing the same, clipping, and an update of all weights.
   *
   * @param source of the batches
   * @return what was done
   * @throws TrainingException if the loss or a gradient is not a finite number, or the batches hold
   *     no target; the weights are then as they were
   * @throws InvalidInputException if the trainer was built for evaluation only, or the source gives
   *     ids outside the vocabulary
   */
  public StepReport step(BatchSource source) {
    requireOpen();
    Values.require(!options.evaluationOnly(), "evaluationOnly", true, "false for training");
    long start = System.nanoTime();
    Gradients gradients = gradients(source);
    double rate = options.schedule().rate(steps);
    optimizer.update(steps + 1, rate, clip(gradients.norm));
    steps++;
    long tokens = (long) batches.length * options.rows() * options.length();
    tokensSeen += tokens;
    position = source.state();
    return new StepReport(
        steps,
        gradients.loss,
        gradients.norm,
        rate,
        gradients.targets,
        tokens,
        (System.nanoTime() - start) / 1e9,
        source.epochs());
  }

  /** What the gradients, which are on the backend, belong to. */
  record Gradients(double loss, double norm, long targets) {}

  /** Computes the gradients of the next batches. */
  Gradients gradients(BatchSource source) {
    long targets = fetch(source);
    writeScale(targets);
    optimizer.clear(copies);
    double sum = 0;
    for (int i = 0; i < batches.length; i++) {
      load(batches[i]);
      dropout.set(steps, i);
      trainStep.run();
      sum += readLoss();
    }
    double loss = sum / targets;
    requireFinite("loss", loss);
    double norm = optimizer.gradientNorm();
    requireFinite("gradient norm", norm);
    return new Gradients(loss, norm, targets);
  }

  /** Fills all batches of a step; returns the number of targets. */
  private long fetch(BatchSource source) {
    long targets = 0;
    for (TokenBatch tokens : batches) {
      if (!source.next(tokens)) {
        throw new TrainingException(
            "the data end at step " + (steps + 1) + "; training needs a source without end");
      }
      targets += checked(tokens);
    }
    if (targets == 0) {
      throw new TrainingException(
          "no position of the batches at step "
              + (steps + 1)
              + " has a target; the documents are too short to predict anything");
    }
    return targets;
  }

  /** Returns the number of targets of a batch whose ids are all in the vocabulary. */
  private long checked(TokenBatch tokens) {
    long targets = 0;
    int vocabulary = config.vocabSize();
    int[] ids = tokens.tokens();
    int[] wanted = tokens.targets();
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] < 0 || ids[i] >= vocabulary || wanted[i] < -1 || wanted[i] >= vocabulary) {
        throw new InvalidInputException(
            "row "
                + i / tokens.length()
                + ", position "
                + i % tokens.length()
                + ": token "
                + ids[i]
                + " with target "
                + wanted[i]
                + ", expected ids below vocab_size "
                + vocabulary
                + "; train with the model's own tokenizer");
      }
      targets += wanted[i] >= 0 ? 1 : 0;
    }
    return targets;
  }

  private void writeScale(long targets) {
    hostNumber.clear().putFloat((float) (1.0 / targets)).flip();
    backend.write(activations.scale, hostNumber);
  }

  /** Hands a batch to the backend: each document of each row is a sequence of its own. */
  private void load(TokenBatch tokens) {
    batch.clear();
    int[] documents = tokens.documents();
    for (int row = 0; row < documents.length; row += tokens.length()) {
      int end = row + tokens.length();
      for (int first = row; first < end; ) {
        int next = first + 1;
        while (next < end && documents[next] == documents[first]) {
          next++;
        }
        int position = options.resetPositions() ? 0 : first - row;
        batch.add(null, tokens.tokens(), first, next - first, position);
        first = next;
      }
    }
    batch.commit();
    hostRows.clear();
    hostRows.asIntBuffer().put(tokens.targets());
    backend.write(activations.targets, hostRows);
  }

  private double readLoss() {
    hostRows.clear();
    backend.read(activations.loss, hostRows);
    hostRows.flip();
    double sum = 0;
    while (hostRows.hasRemaining()) {
      sum += hostRows.getFloat();
    }
    return sum;
  }

  private void requireFinite(String name, double value) {
    if (!Double.isFinite(value)) {
      throw new TrainingException(
          "the "
              + name
              + " is "
              + value
              + " at step "
              + (steps + 1)
              + " (learning rate "
              + options.schedule().rate(steps)
              + "); lower the learning rate, lengthen the warm-up, or clip gradients");
    }
  }

  /** Factor of all gradients. */
  private double clip(double norm) {
    return options.clip() == 0 ? 1 : Math.min(1, options.clip() / (norm + 1e-6));
  }

  /**
   * Measures the loss, without dropout and without a change to the model.
   *
   * @param source of the batches, from where it stands
   * @param maxBatches largest number of batches that are taken; fewer if the data end
   * @return mean over all targets of all batches
   * @throws TrainingException if there is no target at all, or the loss is not a number
   */
  public Evaluation evaluate(BatchSource source, long maxBatches) {
    requireOpen();
    Values.atLeast(1, "evaluation batches", maxBatches);
    long start = System.nanoTime();
    double sum = 0;
    long targets = 0;
    long count = 0;
    while (count < maxBatches && source.next(batches[0])) {
      targets += checked(batches[0]);
      load(batches[0]);
      evaluateStep.run();
      sum += readLoss();
      count++;
    }
    if (targets == 0) {
      throw new TrainingException(
          "the validation data have no target in " + count + " batches; add text to them");
    }
    requireFinite("validation loss", sum / targets);
    return new Evaluation(sum / targets, targets, count, (System.nanoTime() - start) / 1e9);
  }

  /**
   * Writes the model as it is now: config.json, model.safetensors and the tokenizer's files, which
   * {@link dev.llama.Model#load} and transformers can read. The folder appears when it is complete.
   *
   * @param folder to be created, or a folder to be replaced
   * @param type F32, BF16 or F16
   * @throws TrainingException if it cannot be written: names the cause; what was there is intact
   */
  public void saveModel(Path folder, DType type) {
    requireOpen();
    new CheckpointWriter(copies).writeModel(folder, this, type);
  }

  /**
   * Writes everything that is needed to go on: the model in F32, as {@link #saveModel} does, and
   * beside it the state of the optimiser, the number of steps and the position in the data. The
   * folder appears when it is complete.
   *
   * @param folder to be created
   * @throws TrainingException if it exists or cannot be written: names the cause
   */
  public void saveCheckpoint(Path folder) {
    requireOpen();
    Values.require(!options.evaluationOnly(), "evaluationOnly", true, "false for checkpoints");
    new CheckpointWriter(copies).writeCheckpoint(folder, this);
  }

  /** Takes over what a checkpoint holds besides the weights. */
  void restore(CheckpointReader checkpoint) {
    steps = checkpoint.steps();
    tokensSeen = checkpoint.tokens();
    position = checkpoint.position();
    for (Parameter parameter : options.evaluationOnly() ? List.<Parameter>of() : parameters()) {
      copies.load(parameter.m(), checkpoint.mean(parameter));
      copies.load(parameter.v(), checkpoint.square(parameter));
    }
  }

  /**
   * Returns the number of steps that the model has been trained, before a resume included.
   *
   * @return steps
   */
  public long steps() {
    return steps;
  }

  /**
   * Returns the number of tokens that the model has been trained on, padding included.
   *
   * @return tokens
   */
  public long tokensSeen() {
    return tokensSeen;
  }

  /**
   * Returns where the source of the batches stood behind the last step.
   *
   * @return for {@link BatchSource#restore}; empty before the first step
   */
  public Optional<String> position() {
    return Optional.ofNullable(position);
  }

  /**
   * Returns the architecture, fitted to the tokenizer.
   *
   * @return the architecture
   */
  public ModelConfig config() {
    return config;
  }

  /**
   * Returns the tokenizer that goes into checkpoints.
   *
   * @return empty if there is none
   */
  public Optional<Tokenizer> tokenizer() {
    return Optional.ofNullable(tokenizer.tokenizer());
  }

  /**
   * Returns what runs the training.
   *
   * @return backend, device, and all candidates with their reasons
   */
  public BackendInfo backend() {
    return backendInfo;
  }

  /**
   * Returns what was changed on the user's behalf, for instance {@code vocab_size}: to be shown.
   *
   * @return sentences, often none
   */
  public List<String> notices() {
    return List.copyOf(notices);
  }

  /**
   * Returns the memory that was allocated on the backend: weights, gradients, moments of the
   * optimiser and activations.
   *
   * @return bytes
   */
  public long memoryBytes() {
    long copiesOfWeights = options.evaluationOnly() ? 1 : 4;
    return activations.bytes() + config.parameterCount() * Float.BYTES * copiesOfWeights;
  }

  TrainerOptions options() {
    return options;
  }

  TokenizerCopy tokenizerCopy() {
    return tokenizer;
  }

  List<Parameter> parameters() {
    return new ArrayList<>(parameters.all());
  }

  HostCopies copies() {
    return copies;
  }

  private void requireOpen() {
    if (closed) {
      throw new InvalidInputException("the trainer is closed");
    }
  }

  /** Gives all memory back and closes the backend. Idempotent. */
  @Override
  public void close() {
    if (closed) {
      return;
    }
    closed = true;
    for (AutoCloseable resource : owned) {
      try {
        resource.close();
      } catch (Exception e) {
        throw new IllegalStateException("cannot close " + resource, e);
      }
    }
    backend.close();
  }
}
