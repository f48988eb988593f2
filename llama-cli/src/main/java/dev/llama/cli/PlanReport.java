package dev.llama.cli;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import dev.llama.Layer.Parallelism;
import dev.llama.core.plan.Estimate;
import dev.llama.core.plan.Estimate.StageWork;
import dev.llama.core.plan.LayerSplit;
import dev.llama.core.plan.Plan;
import dev.llama.core.plan.Split;
import dev.llama.core.plan.Stage;
import dev.llama.core.plan.Term;
import dev.llama.core.plan.Workload;
import java.io.PrintStream;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;

/** A plan for people and for programs. */
final class PlanReport {
  private final String model;
  private final Plan plan;

  PlanReport(String model, Plan plan) {
    this.model = model;
    this.plan = plan;
  }

  void text(PrintStream out) {
    out.println(model + ": " + Units.parameters(plan.config().parameterCount()) + " parameters");
    out.println(work());
    out.println(split());
    out.println();
    out.println("How layers are split");
    Table layers = new Table("lll").row("kind", "can be split by", "each device has");
    for (LayerSplit layer : plan.layers()) {
      layers.row(layer.kind(), supported(layer.supported()), layer.here());
    }
    layers.print(out);
    // Stages in the middle of a long pipeline are alike: one table for each run of them.
    for (int i = 0; i < plan.stages().size(); ) {
      int end = i + 1;
      while (end < plan.stages().size()
          && plan.stages().get(end).terms().equals(plan.stages().get(i).terms())) {
        end++;
      }
      out.println();
      stage(out, plan.stages().get(i), plan.stages().get(end - 1));
      i = end;
    }
    estimates(out);
    out.println();
    out.println(verdict());
  }

  private String work() {
    Workload work = plan.workload();
    String positions = Units.grouped(plan.contextSize()) + " positions";
    if (work instanceof Workload.Inference inference) {
      return "Inference: "
          + Units.plural(work.batchSize(), "session")
          + " of "
          + positions
          + ", weights "
          + work.weightType()
          + ", KV cache "
          + inference.kvType()
          + ", prompts in chunks of "
          + inference.prefillChunk();
    }
    return "Training: "
        + Units.plural(work.batchSize(), "sequence")
        + " of "
        + positions
        + " a step, AdamW, F32";
  }

  private String split() {
    Split split = plan.split();
    return "Split: tensor "
        + split.tensor()
        + (split.sequence() ? " with sequence" : "")
        + ", pipeline "
        + split.pipeline()
        + ", context-parallel "
        + split.context()
        + ": "
        + Units.plural(split.devices(), "device")
        + (plan.cluster().devices() > split.devices() ? " of " + plan.cluster().devices() : "");
  }

  private static String supported(Set<Parallelism> ways) {
    return ways.isEmpty()
        ? "-"
        : ways.stream()
            .map(way -> way.name().toLowerCase(Locale.ROOT))
            .collect(Collectors.joining(", "));
  }

  private void stage(PrintStream out, Stage first, Stage last) {
    boolean one = first.index() == last.index();
    int devices = first.devices() * (last.index() - first.index() + 1);
    out.println(
        (one ? "Stage " + first.index() : "Stages " + first.index() + " to " + last.index())
            + ": blocks "
            + first.firstBlock()
            + " to "
            + (last.firstBlock() + last.blocks() - 1)
            + (first.embedding() ? ", embedding" : "")
            + (last.head() ? ", output" : "")
            + (one ? "" : ", " + first.blocks() + " blocks each")
            + (devices == 1 ? "; one device" : "; each of " + devices + " devices"));
    Table table = new Table("lllr");
    for (Term.Kind kind : Term.Kind.values()) {
      boolean any = false;
      for (Term term : first.terms()) {
        if (term.kind() == kind) {
          table.row(label(kind), term.name(), term.formula(), Units.grouped(term.bytes()));
          any = true;
        }
      }
      if (any) {
        table.row(label(kind), "= " + Units.bytes(first.bytes(kind)), "", "");
      }
    }
    table.row("total", "= " + Units.bytes(first.bytes()), "", Units.grouped(first.bytes()));
    table.print(out);
  }

  private static String label(Term.Kind kind) {
    return kind.name().toLowerCase(Locale.ROOT).replace('_', ' ');
  }

  private void estimates(PrintStream out) {
    if (plan.estimates().isEmpty()) {
      return;
    }
    out.println();
    out.println("Speed at best, without what devices tell one another");
    for (Estimate estimate : plan.estimates()) {
      out.println(
          "  "
              + phase(estimate)
              + ": "
              + Units.decimals(estimate.tokensPerSecond(), 1)
              + " tokens/s = "
              + estimate.formula());
      Table table = new Table("rrrrl").row("stage", "operations", "bytes", "seconds", "limited by");
      for (StageWork work : estimate.stages()) {
        table.row(
            work.stage(),
            scientific(work.flops()),
            scientific(work.bytes()),
            scientific(work.seconds()),
            work.computeBound() ? "arithmetic" : "bandwidth");
      }
      table.print(out);
    }
  }

  private static String phase(Estimate estimate) {
    return estimate.phase().name().toLowerCase(Locale.ROOT);
  }

  private static String scientific(double value) {
    return String.format(Locale.ROOT, "%.3e", value);
  }

  private String verdict() {
    long most = plan.largestBytes();
    String needs = "The fullest device needs " + Units.bytes(most);
    if (plan.cluster().memory() == 0) {
      return needs + ", all devices " + Units.bytes(plan.totalBytes()) + ".";
    }
    String of = " of " + Units.bytes(plan.cluster().memory());
    double share = 100.0 * most / plan.cluster().memory();
    return plan.fits()
        ? needs + of + " (" + Units.decimals(share, 1) + " %): it fits."
        : needs
            + of
            + " ("
            + Units.decimals(share, 1)
            + " %): it does not fit. More devices, a shorter context, a smaller batch or type"
            + " help.";
  }

  JsonObject json() {
    JsonObject json = new JsonObject();
    json.addProperty("model", model);
    json.addProperty("parameters", plan.config().parameterCount());
    json.add("workload", workload());
    Split degrees = plan.split();
    JsonObject split = new JsonObject();
    split.addProperty("tensor", degrees.tensor());
    split.addProperty("pipeline", degrees.pipeline());
    split.addProperty("context_parallel", degrees.context());
    split.addProperty("sequence", degrees.sequence());
    split.addProperty("devices", degrees.devices());
    json.add("split", split);
    JsonArray layers = new JsonArray();
    for (LayerSplit layer : plan.layers()) {
      JsonObject entry = new JsonObject();
      entry.addProperty("kind", layer.kind());
      JsonArray supported = new JsonArray();
      layer.supported().forEach(way -> supported.add(way.name().toLowerCase(Locale.ROOT)));
      entry.add("parallelism", supported);
      entry.addProperty("each_device_has", layer.here());
      layers.add(entry);
    }
    json.add("layers", layers);
    JsonArray stages = new JsonArray();
    plan.stages().forEach(stage -> stages.add(stage(stage)));
    json.add("stages", stages);
    JsonArray estimates = new JsonArray();
    plan.estimates().forEach(estimate -> estimates.add(estimate(estimate)));
    json.add("estimates", estimates);
    json.addProperty("largest_device_bytes", plan.largestBytes());
    json.addProperty("total_bytes", plan.totalBytes());
    if (plan.cluster().devices() > 0) {
      json.addProperty("available_devices", plan.cluster().devices());
    }
    if (plan.cluster().memory() > 0) {
      json.addProperty("device_memory_bytes", plan.cluster().memory());
    }
    json.addProperty("fits", plan.fits());
    return json;
  }

  private JsonObject workload() {
    Workload work = plan.workload();
    JsonObject json = new JsonObject();
    json.addProperty("training", work instanceof Workload.Training);
    json.addProperty("context", plan.contextSize());
    json.addProperty("batch", work.batchSize());
    json.addProperty("weights", work.weightType().name());
    if (work instanceof Workload.Inference inference) {
      json.addProperty("kv", inference.kvType().name());
      json.addProperty("prefill_chunk", inference.prefillChunk());
    }
    return json;
  }

  private static JsonObject stage(Stage stage) {
    JsonObject json = new JsonObject();
    json.addProperty("stage", stage.index());
    json.addProperty("devices", stage.devices());
    json.addProperty("first_block", stage.firstBlock());
    json.addProperty("blocks", stage.blocks());
    json.addProperty("embedding", stage.embedding());
    json.addProperty("head", stage.head());
    JsonArray terms = new JsonArray();
    for (Term term : stage.terms()) {
      JsonObject entry = new JsonObject();
      entry.addProperty("kind", term.kind().name().toLowerCase(Locale.ROOT));
      entry.addProperty("name", term.name());
      entry.addProperty("formula", term.formula());
      entry.addProperty("bytes", term.bytes());
      terms.add(entry);
    }
    json.add("terms", terms);
    for (Term.Kind kind : Term.Kind.values()) {
      json.addProperty(kind.name().toLowerCase(Locale.ROOT) + "_bytes", stage.bytes(kind));
    }
    json.addProperty("bytes", stage.bytes());
    return json;
  }

  private static JsonObject estimate(Estimate estimate) {
    JsonObject json = new JsonObject();
    json.addProperty("phase", phase(estimate));
    json.add("tokens_per_second", Json.number(estimate.tokensPerSecond()));
    json.addProperty("formula", estimate.formula());
    JsonArray stages = new JsonArray();
    for (StageWork work : estimate.stages()) {
      JsonObject entry = new JsonObject();
      entry.addProperty("stage", work.stage());
      entry.add("flops", Json.number(work.flops()));
      entry.add("bytes", Json.number(work.bytes()));
      entry.add("seconds", Json.number(work.seconds()));
      entry.addProperty("limited_by", work.computeBound() ? "arithmetic" : "bandwidth");
      stages.add(entry);
    }
    json.add("stages", stages);
    return json;
  }
}
