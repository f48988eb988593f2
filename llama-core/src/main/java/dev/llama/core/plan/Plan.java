package dev.llama.core.plan;

import dev.llama.InvalidInputException;
import dev.llama.ModelConfig;
import dev.llama.core.plan.Blueprint.StageShape;
import java.util.ArrayList;
import java.util.List;

/**
 * What a model needs on each device, term by term.
 *
 * <p>Inference counts what this library allocates on one device; where there are several, each has
 * its share of it. Not counted: the program itself (code, the Java heap's spare room, a driver's
 * context) and a backend's own scratch memory.
 *
 * @param config the model
 * @param workload what was asked for
 * @param cluster what there is to run on
 * @param contextSize positions of each sequence
 * @param split degrees of parallelism
 * @param layers how each kind of layers is split
 * @param stages one for each stage of the pipeline
 * @param estimates of tokens per second, if the cluster's speed is given
 */
public record Plan(
    ModelConfig config,
    Workload workload,
    Cluster cluster,
    int contextSize,
    Split split,
    List<LayerSplit> layers,
    List<Stage> stages,
    List<Estimate> estimates) {

  /** Copies the lists. */
  public Plan {
    layers = List.copyOf(layers);
    stages = List.copyOf(stages);
    estimates = List.copyOf(estimates);
  }

  /**
   * Makes a plan, for a context that may be longer than the model's. Degrees that are 0 are chosen
   * so that the model fits on the fewest devices; among splits over as many devices the largest
   * tensor degree is taken, up to 8 (the devices of one machine, because a tensor group exchanges
   * activations twice a block), then the smallest context degree (each slice of the context needs a
   * copy of the weights). If nothing fits, the plan is the one whose fullest device has least, and
   * {@link #fits()} says so.
   *
   * @param config the model
   * @param workload what the devices are to do
   * @param cluster what there is to run on
   * @param degrees the split that is wanted
   * @return a plan
   * @throws InvalidInputException if a degree does not divide what it is to split, the degrees need
   *     more devices than there are, or a size exceeds 64 bits
   */
  public static Plan of(ModelConfig config, Workload workload, Cluster cluster, Degrees degrees) {
    int contextSize = workload.contextSize() == 0 ? config.contextLength() : workload.contextSize();
    Blueprint model = Blueprint.of(config);
    int devices = cluster.devices() == 0 ? Cluster.MOST_DEVICES : cluster.devices();
    SplitSearch.check(model, contextSize, degrees, devices);
    try {
      Split split = choose(model, workload, contextSize, cluster, degrees, devices);
      return new Plan(
          config,
          workload,
          cluster,
          contextSize,
          split,
          LayerSplit.of(model, split),
          stages(model, workload, contextSize, split),
          cluster
              .roofline()
              .map(
                  roofline ->
                      new Estimates(
                              model,
                              workload,
                              contextSize,
                              config.slidingWindow().orElse(contextSize),
                              split,
                              roofline)
                          .all())
              .orElse(List.of()));
    } catch (ArithmeticException e) {
      throw new InvalidInputException(
          "the memory for "
              + workload.batchSize()
              + " sequences of "
              + contextSize
              + " positions exceeds 64 bits");
    }
  }

  private static Split choose(
      Blueprint model,
      Workload workload,
      int contextSize,
      Cluster cluster,
      Degrees degrees,
      int devices) {
    boolean open = degrees.tensor() == 0 || degrees.pipeline() == 0 || degrees.context() == 0;
    if (!open || cluster.memory() == 0) {
      int tensor = Math.max(1, degrees.tensor());
      return new Split(
          tensor,
          Math.max(1, degrees.pipeline()),
          Math.max(1, degrees.context()),
          degrees.sequence() && tensor > 1);
    }
    long weights = 0;
    Split whole = new Split(1, 1, 1, false);
    for (Term term : stages(model, workload, contextSize, whole).get(0).terms()) {
      if (term.kind() == Term.Kind.WEIGHTS) {
        weights = Math.addExact(weights, term.bytes());
      }
    }
    return new SplitSearch(
            model,
            contextSize,
            degrees,
            split -> fullest(extremes(model, workload, contextSize, split)))
        .find(InferenceMemory.ceilDiv(weights, cluster.memory()), devices, cluster.memory());
  }

  private static List<Stage> stages(
      Blueprint model, Workload workload, int contextSize, Split split) {
    List<Stage> stages = new ArrayList<>(split.pipeline());
    for (StageShape stage : model.stages(split.pipeline())) {
      stages.add(stage(model, workload, contextSize, split, stage));
    }
    return stages;
  }

  /**
   * The stages of which one is the fullest: the first has the embedding, the last the output, and
   * of those between none has more blocks or micro-batches than the second.
   */
  private static List<Stage> extremes(
      Blueprint model, Workload workload, int contextSize, Split split) {
    List<Stage> stages = new ArrayList<>();
    for (StageShape stage : model.stages(split.pipeline())) {
      if (stage.index() <= 1 || stage.last()) {
        stages.add(stage(model, workload, contextSize, split, stage));
      }
    }
    return stages;
  }

  private static Stage stage(
      Blueprint model, Workload workload, int contextSize, Split split, StageShape stage) {
    List<Term> terms =
        workload instanceof Workload.Inference inference
            ? new InferenceMemory(model, inference, contextSize, split).terms(stage)
            : new TrainingMemory(model, (Workload.Training) workload, contextSize, split)
                .terms(stage);
    return new Stage(
        stage.index(),
        split.tensor() * split.context(),
        stage.firstBlock(),
        stage.blocks(),
        stage.first(),
        stage.last(),
        terms);
  }

  private static long fullest(List<Stage> stages) {
    long most = 0;
    for (Stage stage : stages) {
      most = Math.max(most, stage.bytes());
    }
    return most;
  }

  /**
   * Returns the memory of the fullest device.
   *
   * @return bytes
   */
  public long largestBytes() {
    return fullest(stages);
  }

  /**
   * Returns whether every device has the memory that it needs.
   *
   * @return true if memory is unlimited
   */
  public boolean fits() {
    return cluster.memory() == 0 || largestBytes() <= cluster.memory();
  }

  /**
   * Returns the memory of all devices.
   *
   * @return bytes
   */
  public long totalBytes() {
    long bytes = 0;
    for (Stage stage : stages) {
      bytes = Math.addExact(bytes, Math.multiplyExact(stage.bytes(), (long) stage.devices()));
    }
    return bytes;
  }
}
