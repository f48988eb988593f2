package dev.llama.train;

import dev.llama.DType;
import dev.llama.InvalidInputException;

/**
 * How long a run goes on, and what it leaves behind. Immutable: the setters return changed copies.
 *
 * @param steps number of steps in all, those before a resume included
 * @param evaluateEvery steps between evaluations, the last step always; 0 for none
 * @param evaluationBatches largest number of batches of an evaluation
 * @param checkpointEvery steps between checkpoints, the last step always; 0 for the last alone
 * @param keep number of checkpoints that are kept
 * @param modelType in which the trained model is stored: F32, BF16 or F16
 */
public record RunOptions(
    long steps,
    long evaluateEvery,
    long evaluationBatches,
    long checkpointEvery,
    int keep,
    DType modelType) {
  private static final RunOptions DEFAULTS = new RunOptions(1000, 100, 50, 200, 2, DType.F32);

  /**
   * Checks the values.
   *
   * @throws InvalidInputException if one is out of range
   */
  public RunOptions {
    Values.atLeast(1, "steps", steps);
    Values.atLeast(0, "evaluateEvery", evaluateEvery);
    Values.atLeast(1, "evaluationBatches", evaluationBatches);
    Values.atLeast(0, "checkpointEvery", checkpointEvery);
    Values.atLeast(1, "keep", keep);
    Values.require(
        modelType == DType.F32 || modelType == DType.BF16 || modelType == DType.F16,
        "modelType",
        modelType,
        "F32, BF16 or F16");
  }

  /**
   * 1000 steps, an evaluation of up to 50 batches after every 100, a checkpoint after every 200, of
   * which two are kept, and a model in F32.
   *
   * @return options
   */
  public static RunOptions defaults() {
    return DEFAULTS;
  }

  /**
   * Sets the number of steps.
   *
   * @param value in all, those before a resume included
   * @return changed options
   */
  public RunOptions steps(long value) {
    return new RunOptions(
        value, evaluateEvery, evaluationBatches, checkpointEvery, keep, modelType);
  }

  /**
   * Sets when and how thoroughly the model is evaluated.
   *
   * @param every steps between evaluations; 0 for none
   * @param batches largest number of batches
   * @return changed options
   */
  public RunOptions evaluate(long every, long batches) {
    return new RunOptions(steps, every, batches, checkpointEvery, keep, modelType);
  }

  /**
   * Sets when checkpoints are written.
   *
   * @param every steps between checkpoints; 0 for the last step alone
   * @param kept number of checkpoints that are kept
   * @return changed options
   */
  public RunOptions checkpoint(long every, int kept) {
    return new RunOptions(steps, evaluateEvery, evaluationBatches, every, kept, modelType);
  }

  /**
   * Sets how the trained model is stored.
   *
   * @param type F32, BF16 or F16
   * @return changed options
   */
  public RunOptions modelType(DType type) {
    return new RunOptions(steps, evaluateEvery, evaluationBatches, checkpointEvery, keep, type);
  }
}
