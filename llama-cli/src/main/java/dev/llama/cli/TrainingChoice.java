package dev.llama.cli;

import dev.llama.DType;
import dev.llama.ModelConfig;
import dev.llama.train.AdamW;
import dev.llama.train.RunOptions;
import dev.llama.train.Schedule;
import dev.llama.train.TrainerBuilder;
import java.util.Locale;
import java.util.function.Supplier;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;

/** Options that say how a model is trained. */
final class TrainingChoice {
  private static final int LONGEST_WARMUP = 100;

  @Option(
      names = "--steps",
      paramLabel = "N",
      defaultValue = "1000",
      description = "Updates of the weights, those before a resume included (default: 1000).")
  private long steps;

  @Option(
      names = "--batch",
      paramLabel = "ROWS",
      defaultValue = "8",
      description = "Sequences that go through the model at once (default: 8).")
  private int batch;

  @Option(
      names = "--length",
      paramLabel = "TOKENS",
      description = "Tokens in each (default: 512, or the model's context if shorter).")
  private Integer length;

  @Option(
      names = "--accumulation",
      paramLabel = "N",
      defaultValue = "1",
      description = "Batches in a step (default: 1).")
  private int accumulation;

  @Option(
      names = "--learning-rate",
      paramLabel = "RATE",
      description = "The peak (default: 1e-3 from random weights, 1e-4 from a model).")
  private Double learningRate;

  @Option(
      names = "--warmup-steps",
      paramLabel = "N",
      description = "Steps until the peak (default: a tenth of all, 100 at most).")
  private Long warmupSteps;

  @Option(
      names = "--decay",
      paramLabel = "WAY",
      defaultValue = "COSINE",
      description = "From the peak to the floor: cosine (default), linear or constant.")
  private Schedule.Decay decay;

  @Option(
      names = "--floor",
      paramLabel = "FRACTION",
      defaultValue = "0.1",
      description = "Last learning rate, as a part of the peak (default: 0.1).")
  private double floor;

  @Option(
      names = "--clip",
      paramLabel = "NORM",
      defaultValue = "1",
      description = "Largest norm of all gradients together; 0: none (default: 1).")
  private double clip;

  @Option(
      names = "--weight-decay",
      paramLabel = "RATE",
      defaultValue = "0.1",
      description = "Of matrices; norms and biases have none (default: 0.1).")
  private double weightDecay;

  @Option(
      names = "--beta1",
      paramLabel = "B",
      defaultValue = "0.9",
      description = "AdamW's decay of the mean of gradients (default: 0.9).")
  private double beta1;

  @Option(
      names = "--beta2",
      paramLabel = "B",
      defaultValue = "0.95",
      description = "AdamW's decay of the mean of squares (default: 0.95).")
  private double beta2;

  @Option(
      names = "--eps",
      paramLabel = "E",
      defaultValue = "1e-8",
      description = "Added to AdamW's denominator (default: 1e-8).")
  private double eps;

  @Option(
      names = "--attention-dropout",
      paramLabel = "P",
      description = "Probability of dropping an attention weight (default: config.json's).")
  private Double attentionDropout;

  @Option(
      names = "--reset-positions",
      arity = "1",
      paramLabel = "BOOL",
      defaultValue = "true",
      description = "Whether positions begin anew in each document of a row (default: true).")
  private boolean resetPositions;

  @Option(
      names = "--seed",
      paramLabel = "N",
      defaultValue = "1",
      description = "Of random weights, order of documents, and dropout (default: 1).")
  private long seed;

  @Option(
      names = "--evaluate-every",
      paramLabel = "N",
      defaultValue = "100",
      description = "Steps between evaluations (default: 100).")
  private long evaluateEvery;

  @Option(
      names = "--evaluation-batches",
      paramLabel = "N",
      description = "Batches of an evaluation at most (default: 50; all with --mode=evaluate).")
  private Long evaluationBatches;

  @Option(
      names = "--checkpoint-every",
      paramLabel = "N",
      defaultValue = "200",
      description = "Steps between checkpoints (default: 200).")
  private long checkpointEvery;

  @Option(
      names = "--keep",
      paramLabel = "N",
      defaultValue = "2",
      description = "Checkpoints to keep (default: 2).")
  private int keep;

  long seed() {
    return seed;
  }

  long steps() {
    return steps;
  }

  /** Batches of an evaluation of its own. */
  long allEvaluationBatches() {
    return evaluationBatches == null ? Long.MAX_VALUE : evaluationBatches;
  }

  /**
   * Tells a trainer.
   *
   * @param pretrained whether it begins with a model's weights
   */
  TrainerBuilder apply(
      TrainerBuilder builder, ModelConfig config, boolean pretrained, CommandSpec spec) {
    int tokens = length != null ? length : Math.min(512, config.longestContext());
    builder
        .batch(batch, tokens)
        .accumulation(accumulation)
        .clip(clip)
        .resetPositions(resetPositions)
        .seed(seed)
        .schedule(schedule(pretrained, spec))
        .optimizer(
            checked("--weight-decay", spec, () -> new AdamW(beta1, beta2, eps, weightDecay)));
    return attentionDropout == null ? builder : builder.attentionDropout(attentionDropout);
  }

  private Schedule schedule(boolean pretrained, CommandSpec spec) {
    double peak = learningRate != null ? learningRate : pretrained ? 1e-4 : 1e-3;
    long warmup = warmupSteps != null ? warmupSteps : Math.min(LONGEST_WARMUP, steps / 10);
    return checked("--learning-rate", spec, () -> new Schedule(peak, warmup, steps, decay, floor));
  }

  RunOptions run(boolean evaluate, DType modelType, CommandSpec spec) {
    long batches = evaluationBatches == null ? 50 : evaluationBatches;
    return checked(
        "--steps",
        spec,
        () ->
            new RunOptions(
                steps, evaluate ? evaluateEvery : 0, batches, checkpointEvery, keep, modelType));
  }

  /** The option is named only where the message does not say what is wrong. */
  private static <T> T checked(String option, CommandSpec spec, Supplier<T> value) {
    return ModelChoice.checked(spec.commandLine(), option, value);
  }

  /** How a model is stored: as asked for, or as the model that training began from. */
  static DType modelType(DType asked, ModelConfig base, boolean pretrained) {
    if (asked != null || !pretrained) {
      return asked == null ? DType.F32 : asked;
    }
    return switch (base.torchDtype().orElse("").toLowerCase(Locale.ROOT)) {
      case "bfloat16" -> DType.BF16;
      case "float16" -> DType.F16;
      default -> DType.F32;
    };
  }
}
