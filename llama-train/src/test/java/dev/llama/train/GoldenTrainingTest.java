package dev.llama.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

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
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The reference run: every loss, norm and rate, first gradients and last weights. */
class GoldenTrainingTest {
  private static final int ROWS = 4;
  private static final int LENGTH = 32;
  private static final int STEPS = 20;
  private static final Schedule SCHEDULE = Schedule.cosine(0.01, 5, STEPS);

  private final Map<String, Object> expected = Fixtures.json("training/expected.json");

  /**
   * The definition of every operation, in double arithmetic, gives the reference's numbers, and the
   * CPU backend does every step as the definition does. It is put back on the track after each:
   * alone, any float32 arithmetic may leave it by chance. In plain_clip_2, the first gradient of
   * one element of a rare token's embedding is -1e-6, the sum of terms of 1e-2; whoever gets +3e-7
   * moves that element by the whole learning rate the other way, because AdamW looks at the sign.
   */
  @ParameterizedTest
  @CsvSource({
    "plain, cpu",
    "plain_clip_2, cpu",
    "docs_positions_continue, cpu:reference",
    "docs_positions_reset, cpu"
  })
  void everyStepIsReproduced(String variant, String backend) throws IOException {
    Map<?, ?> golden = golden(variant);
    Path folder = Fixtures.path("training/" + variant);
    try (Trainer track = trainer(golden, "naive");
        Trainer trainer = trainer(golden, backend)) {
      BatchSource trackSource = source(golden);
      BatchSource source = source(golden);
      checkFirstGradients(track, trackSource, folder);
      checkFirstGradients(trainer, source, folder);
      for (int i = 0; i < STEPS; i++) {
        StepReport exact = track.step(trackSource);
        StepReport report = trainer.step(source);
        compare(exact, golden);
        compare(report, golden);
        assertEquals(exact.loss(), report.loss(), 2e-6, "loss at step " + report.step());
        assertEquals(1, report.gradientNorm() / exact.gradientNorm(), 2e-6, "gradient norm");
        if (i == STEPS - 1) {
          checkFinal(track, variant);
          checkFinal(trainer, variant);
        }
        Tensors.copyState(track, trainer);
      }
    }
  }

  /** And on its own, where chance does not interfere. */
  @ParameterizedTest
  @ValueSource(strings = {"plain", "docs_positions_reset"})
  void theCpuAloneReproducesTheRun(String variant) throws IOException {
    run(variant, "cpu");
  }

  private void run(String variant, String backend) throws IOException {
    Map<?, ?> golden = golden(variant);
    Path folder = Fixtures.path("training/" + variant);
    try (Trainer trainer = trainer(golden, backend)) {
      BatchSource source = source(golden);
      checkFirstGradients(trainer, source, folder);
      for (int i = 0; i < STEPS; i++) {
        compare(trainer.step(source), golden);
        if (i == 0 && Files.exists(folder.resolve("params_after_step0.safetensors"))) {
          checkFirstUpdate(trainer, folder);
        }
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
        .optimizer(new AdamW(0.9, 0.95, 1e-8, 0.1))
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
   * AdamW moves a weight by the sign of its first gradient. Where that gradient is within the
   * rounding noise of the reference (2.5e-8), its sign is chance.
   */
  private void checkFirstUpdate(Trainer trainer, Path folder) throws IOException {
    Map<String, float[]> gradients = Fixtures.floats(folder.resolve("grads_step0.safetensors"));
    Map<String, float[]> golden = Fixtures.floats(folder.resolve("params_after_step0.safetensors"));
    int chance = 0;
    for (Parameter parameter : trainer.parameters()) {
      float[] gradient = gradients.get(parameter.name());
      float[] wanted = golden.get(parameter.name());
      float[] found = Tensors.read(trainer, parameter.weight());
      for (int i = 0; i < found.length; i++) {
        if (gradient[i] != 0 && Math.abs(gradient[i]) < 1e-7) {
          chance++;
        } else {
          assertEquals(
              wanted[i], found[i], tolerance("params_after_step0_abs"), parameter.name() + i);
        }
      }
    }
    assertTrue(chance < 50, chance + " elements not compared");
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
