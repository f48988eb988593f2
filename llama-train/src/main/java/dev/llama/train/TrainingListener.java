package dev.llama.train;

import java.nio.file.Path;

/** Is told how far a run has come. Called on the training thread. */
public interface TrainingListener {
  /**
   * A step is done.
   *
   * @param report what it did
   */
  default void onStep(StepReport report) {}

  /**
   * The model has been evaluated.
   *
   * @param step number of steps done
   * @param evaluation on the validation data
   */
  default void onEvaluation(long step, Evaluation evaluation) {}

  /**
   * A checkpoint is on the disk.
   *
   * @param step number of steps done
   * @param folder the checkpoint
   */
  default void onCheckpoint(long step, Path folder) {}
}
