package dev.llama.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.llama.DType;
import dev.llama.core.quantize.QuantizationReport;
import dev.llama.core.quantize.QuantizationReport.TensorReport;
import dev.llama.core.quantize.QuantizationType;
import dev.llama.core.quantize.QuantizeOptions;
import dev.llama.core.quantize.Quantizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Writes a model as a GGUF file of another type. */
@Command(
    name = "quantize",
    description = {
      "Writes a model as a GGUF file, usually with fewer bits per weight.",
      "",
      "Reads a folder with config.json and safetensors weights, or a .gguf file. What it writes,"
          + " llama.cpp reads too. The file appears when it is complete; Ctrl-C leaves nothing"
          + " behind."
    },
    customSynopsis = "llama quantize [OPTION]... --type TYPE IN OUT",
    sortOptions = false,
    parameterListHeading = "%nFiles:%n",
    optionListHeading = "%nOptions:%n",
    footerHeading = "%nExamples:%n",
    footer = {
      "  llama quantize --type Q4_K_M Llama-3.2-1B Llama-3.2-1B-Q4_K_M.gguf",
      "  llama quantize --type Q8_0 --format json model-BF16.gguf model-Q8_0.gguf"
    })
final class QuantizeCommand implements Callable<Integer> {
  /** Longest wait, when the process is told to end, for the partial file to be removed. */
  private static final long CLEAN_UP_SECONDS = 10;

  private final Streams io;
  private CommandSpec spec;

  @Parameters(index = "0", paramLabel = "IN", description = "Model folder or .gguf file.")
  private Path input;

  @Parameters(index = "1", paramLabel = "OUT", description = "The .gguf file to write.")
  private Path output;

  @Option(
      names = "--type",
      paramLabel = "TYPE",
      required = true,
      description =
          "Type of the file, one of those below or Q4_K, Q5_K, Q3_K for Q4_K_M and so on.")
  private String typeName;

  @Option(
      names = "--pure",
      description = "Give every matrix the same type, also those that matter more.")
  private boolean pure;

  @Option(
      names = "--allow-requantize",
      description = "Accept a model that is quantised already, which loses more.")
  private boolean requantize;

  @Option(names = "--force", description = "Overwrite OUT if it is there.")
  private boolean force;

  @Option(
      names = {"-t", "--threads"},
      paramLabel = "N",
      description = "Threads (default: the number of processors).")
  private int threads;

  @Mixin private CommonOptions common;

  QuantizeCommand(Streams io) {
    this.io = io;
  }

  /** Lists the types at the end of the help. */
  @Spec
  void describeTypes(CommandSpec own) {
    spec = own;
    List<String> lines = new ArrayList<>(Arrays.asList(own.usageMessage().footer()));
    lines.add("");
    lines.add("Types, with the bits per weight of a large model:");
    for (QuantizationType type : QuantizationType.values()) {
      lines.add(String.format(Locale.ROOT, "  %-7s %s", type, type.note()));
    }
    own.usageMessage().footer(lines.toArray(new String[0]));
  }

  @Override
  public Integer call() throws IOException {
    QuantizationType type =
        ModelChoice.checked(spec.commandLine(), "--type", () -> QuantizationType.of(typeName));
    QuantizeOptions options =
        ModelChoice.checked(
            spec.commandLine(),
            "--threads",
            () -> new QuantizeOptions(type, pure, requantize, force, threads));
    long start = System.nanoTime();
    QuantizationReport report = quantize(options);
    double seconds = (System.nanoTime() - start) / 1e9;
    if (common.isJson()) {
      json(report, type, seconds);
    } else {
      text(report, type, seconds);
    }
    return 0;
  }

  /** Runs to the end; a process that is told to end waits until the partial file is gone. */
  private QuantizationReport quantize(QuantizeOptions options) {
    CountDownLatch ended = new CountDownLatch(1);
    try (Progress progress = new Progress(io, "Quantising", " MiB", 1 << 20)) {
      Quantizer quantizer = new Quantizer(options, progress::update);
      Thread cleanUp = new Thread(() -> stop(quantizer, ended), "llama-clean-up");
      Runtime.getRuntime().addShutdownHook(cleanUp);
      try {
        return quantizer.quantize(input, output);
      } finally {
        ended.countDown();
        removeHook(cleanUp);
      }
    }
  }

  private static void stop(Quantizer quantizer, CountDownLatch ended) {
    quantizer.cancel();
    try {
      ended.await(CLEAN_UP_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt(); // the virtual machine is in a hurry
    }
  }

  private static void removeHook(Thread cleanUp) {
    try {
      Runtime.getRuntime().removeShutdownHook(cleanUp);
    } catch (IllegalStateException e) {
      return; // it runs: the process is ending
    }
  }

  private void text(QuantizationReport report, QuantizationType type, double seconds) {
    Table table = new Table("lrrr").row("type", "tensors", "elements", "largest error");
    for (Share share : shares(report)) {
      table.row(
          share.type,
          share.tensors,
          Units.grouped(share.elements),
          Units.decimals(share.largestError, 5));
    }
    table.print(io.out());
    io.out()
        .printf(
            Locale.ROOT,
            "%s: %s, %s (%.2f bits per element), from %s, in %.1f s%n",
            output,
            type,
            Units.bytes(report.bytes()),
            8.0 * report.bytes() / elements(report),
            Units.bytes(report.sourceBytes()),
            seconds);
    io.flush();
  }

  private void json(QuantizationReport report, QuantizationType type, double seconds) {
    JsonObject json = new JsonObject();
    json.addProperty("output", output.toString());
    json.addProperty("type", type.name());
    json.addProperty("bytes", report.bytes());
    json.addProperty("source_bytes", report.sourceBytes());
    json.add("bits_per_element", Json.number(8.0 * report.bytes() / elements(report)));
    json.add("seconds", Json.number(seconds));
    JsonArray tensors = new JsonArray();
    for (TensorReport tensor : report.tensors()) {
      JsonObject entry = new JsonObject();
      entry.addProperty("name", tensor.name());
      JsonArray shape = new JsonArray();
      tensor.shape().forEach(shape::add);
      entry.add("shape", shape);
      entry.addProperty("from", tensor.from().name());
      entry.addProperty("to", tensor.to().name());
      entry.add("error", Json.number(tensor.error()));
      tensors.add(entry);
    }
    json.add("tensors", tensors);
    Json.print(io, json);
  }

  private static long elements(QuantizationReport report) {
    return report.tensors().stream().mapToLong(QuantizeCommand::elements).sum();
  }

  private static long elements(TensorReport tensor) {
    return tensor.shape().stream().reduce(1L, (a, b) -> a * b);
  }

  private static Collection<Share> shares(QuantizationReport report) {
    Map<DType, Share> shares = new EnumMap<>(DType.class);
    for (TensorReport tensor : report.tensors()) {
      Share share = shares.computeIfAbsent(tensor.to(), Share::new);
      share.tensors++;
      share.elements += elements(tensor);
      share.largestError = Math.max(share.largestError, tensor.error());
    }
    return shares.values();
  }

  /** The tensors of one type. */
  private static final class Share {
    private final DType type;
    private int tensors;
    private long elements;
    private double largestError;

    private Share(DType type) {
      this.type = type;
    }
  }
}
