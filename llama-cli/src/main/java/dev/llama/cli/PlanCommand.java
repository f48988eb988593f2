package dev.llama.cli;

import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.ModelConfig;
import dev.llama.core.catalogue.LayerSpec;
import dev.llama.core.plan.Cluster;
import dev.llama.core.plan.Degrees;
import dev.llama.core.plan.Plan;
import dev.llama.core.plan.Roofline;
import dev.llama.core.plan.Workload;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.function.Function;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** What a model needs on each of a number of devices. */
@Command(
    name = "plan",
    description = {
      "Plans memory: what a model needs on each device, term by term, and the smallest split that"
          + " fits.",
      "",
      "Reads the configuration alone; the weights need not be there. Ends with 1 if nothing fits."
    },
    customSynopsis = "llama plan [OPTION]... MODEL",
    sortOptions = false,
    parameterListHeading = "%nModel:%n",
    optionListHeading = "%nOptions:%n",
    footerHeading = "%nExamples:%n",
    footer = {
      "  llama plan Llama-3.2-1B-Instruct --context 8192",
      "  llama plan llama-3.1-70b --weights Q4_0 --batch 4 --devices 8 --memory 80GB",
      "  llama plan llama-3.1-8b --train --memory 80GB --flops 67T --bandwidth 3.35T",
      "",
      "Sizes: 80GB is 80 x 10^9 bytes, 80GiB is 80 x 2^30. docs/planning.md explains the formulas."
    })
final class PlanCommand implements Callable<Integer> {
  private final Streams io;
  @Spec private CommandSpec spec;

  @Parameters(
      index = "0",
      paramLabel = "MODEL",
      description = "Model folder, config.json, .gguf file, layer-spec JSON, or a preset's name.")
  private Path model;

  @ArgGroup(validate = false, heading = "%nWork:%n", order = 1)
  private final Work work = new Work();

  @ArgGroup(validate = false, heading = "%nDevices:%n", order = 2)
  private final Devices devices = new Devices();

  @Mixin private CommonOptions common;

  PlanCommand(Streams io) {
    this.io = io;
  }

  /** What is to be done. Null where the user does not say. */
  private static final class Work {
    @Option(
        names = {"-c", "--context"},
        paramLabel = "N",
        description = "Positions of each sequence (default: the model's).")
    private int context;

    @Option(
        names = {"-b", "--batch"},
        paramLabel = "N",
        defaultValue = "1",
        description = "Sessions that run at once, or sequences of a training step (default: 1).")
    private int batch;

    @Option(
        names = "--weights",
        paramLabel = "TYPE",
        description = {
          "Type of matrices: F32, F16, BF16, Q8_0, Q4_0, Q4_K ... (default: the configuration's"
              + " torch_dtype, or BF16). Norms and biases are F32."
        })
    private DType weights;

    @Option(
        names = "--kv",
        paramLabel = "TYPE",
        description = "Type of the KV cache: F32 or F16 (default: F32).")
    private DType kv;

    @Option(
        names = "--prefill-chunk",
        paramLabel = "N",
        description = "Prompt tokens that a session runs at once (default: 512).")
    private Integer prefillChunk;

    @Option(
        names = "--train",
        description = "Plan training with AdamW in F32 instead of inference.")
    private boolean train;
  }

  /** What there is to run on. */
  private static final class Devices {
    @Option(
        names = "--devices",
        paramLabel = "N",
        description = "Number of devices (default: as many as are needed).")
    private Integer count;

    @Option(
        names = "--memory",
        paramLabel = "SIZE",
        description = "Memory of each (default: unlimited). Finds the smallest split that fits.")
    private String memory;

    @Option(
        names = "--tensor",
        paramLabel = "N",
        description = "Slices of each matrix (default: the smallest split that fits).")
    private Integer tensor;

    @Option(
        names = "--pipeline",
        paramLabel = "N",
        description = "Stages of blocks (default: the smallest split that fits).")
    private Integer pipeline;

    @Option(
        names = "--context-parallel",
        paramLabel = "N",
        description = "Slices of each sequence (default: the smallest split that fits).")
    private Integer context;

    @Option(
        names = "--sequence",
        description = "Let the devices of a tensor group share the rows between matrices.")
    private boolean sequence;

    @Option(
        names = "--flops",
        paramLabel = "RATE",
        description = "Operations per second of a device, for instance 989T; with --bandwidth.")
    private String flops;

    @Option(
        names = "--bandwidth",
        paramLabel = "RATE",
        description = "Bytes per second of its memory, for instance 3.35T; with --flops.")
    private String bandwidth;
  }

  @Override
  public Integer call() {
    Degrees degrees =
        ModelChoice.checked(
            spec.commandLine(),
            "--tensor, --pipeline, --context-parallel, --sequence",
            () ->
                new Degrees(
                    degree("--tensor", devices.tensor),
                    degree("--pipeline", devices.pipeline),
                    degree("--context-parallel", devices.context),
                    devices.sequence));
    Cluster cluster = cluster();
    ModelConfig config = config();
    Plan plan = Plan.of(config, workload(config), cluster, degrees);
    PlanReport report = new PlanReport(model.toString(), plan);
    if (common.isJson()) {
      Json.print(io, report.json());
    } else {
      report.text(io.out());
      io.flush();
    }
    return plan.fits() ? ExitCode.OK : ExitCode.SOFTWARE;
  }

  /** A layer-spec does not say how long a context its model was made for; others do. */
  private ModelConfig config() {
    Optional<LayerSpec> layerSpec = LayerSpecs.at(model);
    if (layerSpec.isPresent()) {
      return layerSpec.get().toConfig();
    }
    ModelConfig config = Architecture.of(model);
    if (work.context > config.longestContext()) {
      throw new InvalidInputException(
          "--context is " + work.context + ", the model has at most " + config.longestContext());
    }
    return config;
  }

  private int degree(String option, Integer value) {
    if (value == null) {
      return 0;
    }
    if (value < 1) {
      throw invalid(option, value + " is no number above 0");
    }
    return value;
  }

  private Workload workload(ModelConfig config) {
    if (work.train) {
      refuseInTraining("--kv", work.kv, "there is no KV cache");
      refuseInTraining("--prefill-chunk", work.prefillChunk, "there is no prompt");
      if (work.weights != null && work.weights != DType.F32) {
        throw invalid("--weights", work.weights + ", but training needs F32");
      }
      return ModelChoice.checked(
          spec.commandLine(),
          "--context or --batch",
          () -> new Workload.Training(work.context, work.batch));
    }
    return ModelChoice.checked(
        spec.commandLine(),
        "--context, --batch, --prefill-chunk, --weights or --kv",
        () ->
            new Workload.Inference(
                work.context,
                work.batch,
                work.prefillChunk == null ? 512 : work.prefillChunk,
                work.weights == null ? typeOf(config) : work.weights,
                work.kv == null ? DType.F32 : work.kv));
  }

  private void refuseInTraining(String option, Object value, String reason) {
    if (value != null) {
      throw new ParameterException(
          spec.commandLine(), option + " does not go with --train: " + reason);
    }
  }

  /** The type that the configuration says its checkpoint has. */
  private static DType typeOf(ModelConfig config) {
    return switch (config.torchDtype().orElse("").toLowerCase(Locale.ROOT)) {
      case "float32" -> DType.F32;
      case "float16" -> DType.F16;
      default -> DType.BF16;
    };
  }

  private Cluster cluster() {
    if (devices.count != null && (devices.count < 1 || devices.count > Cluster.MOST_DEVICES)) {
      throw invalid("--devices", devices.count + ", expected 1 to " + Cluster.MOST_DEVICES);
    }
    long memory =
        devices.memory == null
            ? 0
            : parsed("--memory", devices.memory, Quantity::bytes, "a size such as 80GB or 80GiB");
    return new Cluster(devices.count == null ? 0 : devices.count, memory, roofline());
  }

  private Optional<Roofline> roofline() {
    if ((devices.flops == null) != (devices.bandwidth == null)) {
      throw new ParameterException(
          spec.commandLine(), "--flops and --bandwidth are needed together");
    }
    if (devices.flops == null) {
      return Optional.empty();
    }
    double flops =
        parsed(
            "--flops",
            devices.flops,
            text -> Quantity.rate(text, "FLOP"),
            "operations per second such as 989T or 9.89e14");
    double bandwidth =
        parsed(
            "--bandwidth",
            devices.bandwidth,
            text -> Quantity.rate(text, "B"),
            "bytes per second such as 3.35T or 900GB/s");
    return Optional.of(new Roofline(flops, bandwidth));
  }

  private <T> T parsed(
      String option, String text, Function<String, Optional<T>> parser, String expected) {
    return parser
        .apply(text)
        .orElseThrow(() -> invalid(option, "'" + text + "', expected " + expected));
  }

  private ParameterException invalid(String option, String what) {
    return new ParameterException(
        spec.commandLine(), "Invalid value for option '" + option + "': " + what);
  }
}
