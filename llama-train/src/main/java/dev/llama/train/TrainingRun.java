package dev.llama.train;

import dev.llama.TrainingException;
import java.nio.file.Path;
import java.util.Objects;
import java.util.Optional;

/**
 * Trains for a number of steps, evaluates now and then, and keeps checkpoints, metrics and a loss
 * curve in a folder. Whatever happens, the newest checkpoint in the folder is good. {@link #stop}
 * may be called by any thread.
 */
public final class TrainingRun {
  private final Trainer trainer;
  private final RunFolder folder;
  private final BatchSource training;
  private final Optional<BatchSource> validation;
  private final RunOptions options;
  private final TrainingListener listener;
  private volatile boolean stopped;
  private long saved = -1; // step of the newest checkpoint
  private String validationStart;

  /** How a run ended. */
  public enum Outcome {
    /** All steps are done, and the trained model is in the folder. */
    FINISHED,
    /** {@link TrainingRun#stop} was called; a checkpoint to go on from is in the folder. */
    STOPPED
  }

  /**
   * Prepares a run.
   *
   * @param trainer new, or made from the newest checkpoint of the folder
   * @param folder where everything goes
   * @param training batches without end
   * @param validation batches that every evaluation begins anew; empty for no evaluation
   * @param options how long, how often
   * @param listener is told the progress
   */
  public TrainingRun(
      Trainer trainer,
      RunFolder folder,
      BatchSource training,
      Optional<BatchSource> validation,
      RunOptions options,
      TrainingListener listener) {
    this.trainer = Objects.requireNonNull(trainer, "trainer");
    this.folder = Objects.requireNonNull(folder, "folder");
    this.training = Objects.requireNonNull(training, "training");
    this.validation = Objects.requireNonNull(validation, "validation");
    this.options = Objects.requireNonNull(options, "options");
    this.listener = Objects.requireNonNull(listener, "listener");
  }

  /** Ends the run behind the step that is being done: it writes a checkpoint and returns. */
  public void stop() {
    stopped = true;
  }

  /**
   * Runs until the last step, or until {@link #stop}. A trainer that was resumed goes on with the
   * batch that follows the checkpoint.
   *
   * @return how it ended
   * @throws TrainingException if the loss is not a number, the data end or are not those of the
   *     checkpoint, or the folder cannot be written: names the checkpoint to go on from
   */
  public Outcome run() {
    requireNewest();
    trainer.position().ifPresent(training::restore);
    validationStart = validation.map(BatchSource::state).orElse(null);
    try (MetricsFile metrics = MetricsFile.open(folder.metrics(), trainer.steps())) {
      while (trainer.steps() < options.steps() && !stopped) {
        StepReport report = trainer.step(training);
        metrics.step(report);
        listener.onStep(report);
        if (due(options.evaluateEvery())) {
          evaluate(metrics);
        }
        if (due(options.checkpointEvery())) {
          checkpoint();
        }
      }
      checkpoint();
      drawCurve();
    } catch (TrainingException e) {
      throw new TrainingException(e.getMessage() + whereToGoOn(), e);
    }
    if (trainer.steps() < options.steps()) {
      return Outcome.STOPPED;
    }
    trainer.saveModel(folder.model(), options.modelType());
    return Outcome.FINISHED;
  }

  /** Later checkpoints would be of another history than those that this run is going to write. */
  private void requireNewest() {
    Optional<Path> newest = folder.latestCheckpoint();
    Path expected = folder.checkpoint(trainer.steps());
    if (newest.isPresent() && !newest.get().equals(expected)) {
      throw new TrainingException(
          folder.path()
              + ": has a checkpoint "
              + newest.get().getFileName()
              + ", but the trainer stands at step "
              + trainer.steps()
              + "; resume from it, delete it, or choose another folder");
    }
    saved = newest.isPresent() ? trainer.steps() : -1;
  }

  private boolean due(long every) {
    return every > 0 && (trainer.steps() % every == 0 || trainer.steps() == options.steps());
  }

  private void evaluate(MetricsFile metrics) {
    if (validation.isPresent()) {
      validation.get().restore(validationStart);
      Evaluation evaluation = trainer.evaluate(validation.get(), options.evaluationBatches());
      metrics.evaluation(trainer.steps(), evaluation);
      listener.onEvaluation(trainer.steps(), evaluation);
    }
  }

  private void checkpoint() {
    if (saved == trainer.steps() || trainer.steps() == 0) {
      return;
    }
    Path path = folder.checkpoint(trainer.steps());
    trainer.saveCheckpoint(path);
    saved = trainer.steps();
    folder.keep(options.keep());
    drawCurve();
    listener.onCheckpoint(trainer.steps(), path);
  }

  private void drawCurve() {
    folder.write(
        RunFolder.CURVE,
        LossCurve.svg(
            MetricsFile.read(folder.metrics(), "loss"),
            MetricsFile.read(folder.metrics(), "validation_loss")));
  }

  private String whereToGoOn() {
    return folder
        .latestCheckpoint()
        .map(path -> "; the last good checkpoint is " + path)
        .orElse("; there is no checkpoint yet");
  }
}
