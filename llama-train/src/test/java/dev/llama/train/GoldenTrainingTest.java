package dev.llama.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.llama.ModelOptions;
import dev.llama.spi.Tensor;
import dev.llama.train.Parameters.Parameter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The reference run: every loss, norm and rate, first gradients and last weights. */
class GoldenTrainingTest {
  private static final int ROWS = 4;
  private static final int LENGTH = 32;
  private static final int STEPS = 20;
  private static final Schedule SCHEDULE = Schedule.cosine(0.01, 5, STEPS);
  private static final double EPS = 1e-8;

  private static final int SIGN_STEP = 3;
  private static final int SIGN_ELEMENT = 133 * 64 + 24; // of the embedding: token 133
  private static final List<Function<Parameter, Tensor>> STATE =
      List.of(Parameter::weight, Parameter::m, Parameter::v);

  private final Map<String, Object> expected = Fixtures.json("training/expected.json");

  /** The definition of every operation, in double arithmetic, gives the reference's numbers. */
  @ParameterizedTest
  @ValueSource(
      strings = {"plain", "plain_clip_2", "docs_positions_continue", "docs_positions_reset"})
  void theDefinitionReproducesTheRun(String variant) throws IOException {
    run(variant, "naive", step -> {});
  }

  /** So does the CPU, with F32 arithmetic, from the first step to the last. */
  @ParameterizedTest
  @CsvSource({
    "plain, cpu",
    "plain, cpu:openblas",
    "plain, cpu:reference",
    "docs_positions_continue, cpu",
    "docs_positions_continue, cpu:openblas",
    "docs_positions_continue, cpu:reference",
    "docs_positions_reset, cpu",
    "docs_positions_reset, cpu:openblas",
    "docs_positions_reset, cpu:reference"
  })
  void theCpuReproducesTheRun(String variant, String backend) throws IOException {
    run(variant, backend, step -> {});
  }

  /**
   * And in plain_clip_2, but for one weight at one step. The first gradient that this element of a
   * rare token gets is -1.2e-7, the sum of terms of 1e-2; the last digit of such a term weighs a
   * tenth of it, and AdamW makes a whole step of whatever sign comes out. No order of F32 sums is
   * safe: the reference's own arithmetic, with the hidden units in another order, ends outside the
   * tolerance in 10 of 24 runs; exact arithmetic is well within. So this weight follows the
   * definition.
   */
  @ParameterizedTest
  @ValueSource(strings = {"cpu", "cpu:openblas", "cpu:reference"})
  void theCpuReproducesTheRunButForOneWeight(String backend) throws IOException {
    Map<?, ?> golden = golden("plain_clip_2");
    try (Trainer definition = trainer(golden, "naive")) {
      BatchSource source = source(golden);
      for (int i = 0; i < SIGN_STEP; i++) {
        definition.step(source);
      }
      run(
          "plain_clip_2",
          backend,
          trainer -> {
            if (trainer.steps() == SIGN_STEP) {
              follow(trainer, definition);
            }
          });
    }
  }

  /**
   * With AMX it stays inside the tolerance by itself, since F32 is rounded into its three parts.
   * Cut off, they made all gradients too small by 1e-7, and this run failed.
   */
  @Test
  void matrixUnitsReproduceTheRunFreely() throws IOException {
    try (Trainer trainer = trainer(golden("plain_clip_2"), "cpu")) {
      assumeTrue(trainer.backend().description().contains("AMX"), "this CPU has no AMX");
    }
    run("plain_clip_2", "cpu", step -> {});
  }

  /** Sets the one weight, after it was seen that its gradient is as near as F32 can be. */
  private static void follow(Trainer trainer, Trainer definition) throws IOException {
    Parameter own = trainer.parameters().get(0);
    Parameter exact = definition.parameters().get(0);
    assertEquals("model.embed_tokens.weight", own.name());
    float wanted = Tensors.read(definition, exact.gradient())[SIGN_ELEMENT];
    assertEquals(-1.18e-7, wanted, 1e-9, "what the definition says");
    assertEquals(wanted, Tensors.read(trainer, own.gradient())[SIGN_ELEMENT], 1e-7);
    for (Function<Parameter, Tensor> part : STATE) {
      float[] values = Tensors.read(trainer, part.apply(own));
      values[SIGN_ELEMENT] = Tensors.read(definition, part.apply(exact))[SIGN_ELEMENT];
      Tensors.write(trainer, part.apply(own), values);
    }
  }

  /** What happens behind each step. */
  private interface Behind {
    void step(Trainer trainer) throws IOException;
  }

  private void run(String variant, String backend, Behind behind) throws IOException {
    Map<?, ?> golden = golden(variant);
    Path folder = Fixtures.path("training/" + variant);
    try (Trainer trainer = trainer(golden, backend)) {
      BatchSource source = source(golden);
      checkFirstGradients(trainer, source, folder);
      for (int i = 0; i < STEPS; i++) {
        StepReport report = trainer.step(source);
        compare(report, golden);
        if (i == 0 && Files.exists(folder.resolve("params_after_step0.safetensors"))) {
          checkFirstUpdate(trainer, report, golden, folder);
        }
        behind.step(trainer);
      }
      checkFinal(trainer, variant);
    }
  }

  private Map<?, ?> golden(String variant) {
    return (Map<?, ?>) ((Map<?, ?>) expected.get("variants")).get(variant);
  }

  private static Trainer trainer(Map<?, ?> golden, String backend) {
    return Trainer.builder(Fixtures.path("training/init"))
        .batch(ROWS, LENGTH)
        .optimizer(new AdamW(0.9, 0.95, EPS, 0.1))
        .schedule(SCHEDULE)
        .clip((double) golden.get("clip_max_norm"))
        .resetPositions((boolean) golden.get("positions_reset"))
        .options(ModelOptions.defaults().backend(backend))
        .build();
  }

  /** The 20 batches, one after the other. */
  private static BatchSource source(Map<?, ?> golden) {
    boolean byDocument = (boolean) golden.get("documents");
    Path file = Fixtures.path("training/batches.safetensors");
    int[] tokens = Fixtures.ints(file, "tokens");
    int[] documents = Fixtures.ints(file, "doc_ids");
    List<TokenBatch> batches = new ArrayList<>();
    for (int step = 0; step < STEPS; step++) {
      TokenBatch batch = new TokenBatch(ROWS, LENGTH);
      for (int i = 0; i < ROWS * LENGTH; i++) {
        int at = step * ROWS * LENGTH + i;
        batch.tokens()[i] = tokens[at];
        batch.documents()[i] = byDocument ? documents[at] : 0;
        boolean last = i % LENGTH == LENGTH - 1;
        if (!last && (!byDocument || documents[at] == documents[at + 1])) {
          batch.targets()[i] = tokens[at + 1];
        }
      }
      batches.add(batch);
    }
    return new ListSource(batches, true);
  }

  private void checkFirstGradients(Trainer trainer, BatchSource source, Path folder)
      throws IOException {
    Path file = folder.resolve("grads_step0.safetensors");
    if (Files.exists(file)) {
      trainer.gradients(source);
      compare(file, trainer, Parameter::gradient, tolerance("grads_step0_abs"));
      source.restore("0");
    }
  }

  /**
   * The first update is {@code rate * g / (|g| + eps)}. Where g is below eps, its rounding error
   * weighs: the one such weight lies 3.2e-5 from where exact arithmetic puts it, outside the
   * tolerance. There the update must be that of the trainer's own gradient.
   */
  private void checkFirstUpdate(Trainer trainer, StepReport report, Map<?, ?> variant, Path folder)
      throws IOException {
    Map<String, float[]> gradients = Fixtures.floats(folder.resolve("grads_step0.safetensors"));
    Map<String, float[]> golden = Fixtures.floats(folder.resolve("params_after_step0.safetensors"));
    double clip = (double) variant.get("clip_max_norm") / report.gradientNorm();
    int below = 0;
    for (Parameter parameter : trainer.parameters()) {
      float[] gradient = gradients.get(parameter.name());
      float[] wanted = golden.get(parameter.name());
      float[] found = Tensors.read(trainer, parameter.weight());
      float[] own = Tensors.read(trainer, parameter.gradient());
      for (int i = 0; i < found.length; i++) {
        double change = 0;
        if (gradient[i] != 0 && Math.abs(gradient[i]) < EPS) {
          below++;
          assertEquals(gradient[i], own[i], 1e-9, parameter.name() + i);
          change = report.learningRate() * (part(clip * gradient[i]) - part(clip * own[i]));
        }
        assertEquals(
            wanted[i] + change,
            found[i],
            tolerance("params_after_step0_abs"),
            parameter.name() + i);
      }
    }
    assertEquals(1, below, "elements whose own gradient counts");
  }

  /** The part of the learning rate by which a first gradient moves a weight. */
  private static double part(double gradient) {
    return gradient / (Math.abs(gradient) + EPS);
  }

  private void checkFinal(Trainer trainer, String variant) throws IOException {
    Path file = Fixtures.path("training/" + variant + "/params_final.safetensors");
    double mean = compare(file, trainer, Parameter::weight, tolerance("params_final_abs"));
    assertTrue(mean <= tolerance("params_final_mean_abs"), "mean difference " + mean);
  }

  private void compare(StepReport report, Map<?, ?> variant) {
    boolean first = report.step() == 1;
    Map<?, ?> golden = (Map<?, ?>) ((List<?>) variant.get("steps")).get((int) report.step() - 1);
    assertEquals(golden.get("targets"), report.targets());
    assertEquals((double) golden.get("lr"), report.learningRate(), 1e-12, "learning rate");
    assertEquals(
        (double) golden.get("loss"),
        report.loss(),
        tolerance(first ? "loss_step0_abs" : "loss_abs"),
        "loss at step " + report.step());
    double norm = (double) golden.get("grad_norm");
    assertEquals(
        norm,
        report.gradientNorm(),
        norm * tolerance(first ? "grad_norm_step0_rel" : "grad_norm_rel"),
        "gradient norm at step " + report.step());
  }

  private double tolerance(String name) {
    return (double) ((Map<?, ?>) expected.get("tolerance")).get(name);
  }

  /** Compares all tensors of a file; returns the mean absolute difference. */
  private static double compare(
      Path file, Trainer trainer, Function<Parameter, Tensor> part, double tolerance)
      throws IOException {
    Map<String, float[]> golden = Fixtures.floats(file);
    double sum = 0;
    long count = 0;
    for (Parameter parameter : trainer.parameters()) {
      float[] wanted = golden.remove(parameter.name());
      float[] found = Tensors.read(trainer, part.apply(parameter));
      assertEquals(wanted.length, found.length, parameter.name());
      for (int i = 0; i < found.length; i++) {
        double difference = Math.abs(found[i] - wanted[i]);
        assertTrue(
            difference <= tolerance, // false for NaN
            parameter.name() + "[" + i + "]: " + found[i] + ", expected " + wanted[i]);
        sum += difference;
      }
      count += found.length;
    }
    assertEquals(Map.of(), golden, "in no layer");
    return sum / count;
  }
}
