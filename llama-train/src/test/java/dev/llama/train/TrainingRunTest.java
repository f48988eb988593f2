package dev.llama.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.Model;
import dev.llama.ModelOptions;
import dev.llama.TrainingException;
import dev.llama.train.MetricsFile.Point;
import dev.llama.train.Parameters.Parameter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.LongConsumer;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A run that is interrupted, in whatever way, ends as if it had not been. */
class TrainingRunTest {
  private static final int ROWS = 2;
  private static final int LENGTH = 8;
  private static final int STEPS = 24;
  private static final RunOptions OPTIONS =
      RunOptions.defaults().steps(STEPS).evaluate(6, 2).checkpoint(5, 2);

  @TempDir private Path folder;

  /** Thrown where a process would be killed: nothing of ours runs afterwards but close. */
  private static final class Killed extends RuntimeException {
    private static final long serialVersionUID = 1L;
  }

  /** With everything whose state must survive: dropout, accumulation, schedule, position. */
  private static Trainer trainer(Path run) {
    Optional<Path> checkpoint;
    try (RunFolder runFolder = RunFolder.open(run)) {
      checkpoint = runFolder.latestCheckpoint();
    }
    return checkpoint
        .map(Trainer::resume)
        .orElseGet(() -> Trainer.builder(Models.tiny("attention_dropout", 0.2)))
        .batch(ROWS, LENGTH)
        .accumulation(2)
        .schedule(Schedule.cosine(0.02, 4, STEPS))
        .options(ModelOptions.defaults().backend("cpu").threads(2))
        .build();
  }

  private static List<TokenBatch> batches(int count, long seed) {
    return IntStream.range(0, count)
        .mapToObj(i -> ListSource.random(ROWS, LENGTH, Models.VOCABULARY, seed + i))
        .collect(Collectors.toList());
  }

  /** Runs, or goes on; {@code afterStep} may kill, or stop the run. */
  private static TrainingRun.Outcome run(Path path, LongConsumer afterStep, TrainingRun[] self) {
    try (Trainer trainer = trainer(path);
        RunFolder runFolder = RunFolder.open(path)) {
      TrainingListener listener =
          new TrainingListener() {
            @Override
            public void onStep(StepReport report) {
              afterStep.accept(report.step());
            }
          };
      TrainingRun run =
          new TrainingRun(
              trainer,
              runFolder,
              new ListSource(batches(7, 100), true),
              Optional.of(new ListSource(batches(3, 900), false)),
              OPTIONS,
              listener);
      self[0] = run;
      return run.run();
    }
  }

  private static TrainingRun.Outcome run(Path path) {
    return run(path, step -> {}, new TrainingRun[1]);
  }

  private static List<Point> losses(Path run, String series) {
    return MetricsFile.read(run.resolve("metrics.jsonl"), series);
  }

  @Test
  void aRunThatIsInterruptedAtRandomGivesTheSameLosses() throws IOException {
    Path whole = folder.resolve("whole");
    assertSame(TrainingRun.Outcome.FINISHED, run(whole));
    List<Point> losses = losses(whole, "loss");
    assertEquals(STEPS, losses.size());
    assertEquals(4, losses(whole, "validation_loss").size());
    assertTrue(losses.get(STEPS - 1).loss() < losses.get(0).loss());
    for (long seed = 1; seed <= 4; seed++) {
      Path broken = folder.resolve("broken-" + seed);
      interruptAtRandom(broken, new Random(seed));
      assertEquals(losses, losses(broken, "loss"), "seed " + seed);
      assertEquals(losses(whole, "validation_loss"), losses(broken, "validation_loss"));
      assertEquals(
          -1,
          Files.mismatch(
              whole.resolve("model/model.safetensors"), broken.resolve("model/model.safetensors")),
          "the weights, seed " + seed);
    }
  }

  private static void interruptAtRandom(Path path, Random random) {
    TrainingRun[] self = new TrainingRun[1];
    for (boolean finished = false; !finished; ) {
      long after = 1 + random.nextInt(STEPS / 2);
      boolean kill = random.nextBoolean();
      long[] count = new long[1];
      try {
        TrainingRun.Outcome outcome =
            run(
                path,
                step -> {
                  if (++count[0] == after && kill) {
                    throw new Killed();
                  } else if (count[0] == after) {
                    self[0].stop();
                  }
                },
                self);
        finished = outcome == TrainingRun.Outcome.FINISHED;
      } catch (Killed e) {
        halfWrite(path);
      }
    }
  }

  /** What a process leaves behind that is killed while it writes. */
  private static void halfWrite(Path run) {
    try {
      Path half = run.resolve("checkpoints/.new-step-00099999");
      Files.createDirectories(half);
      Files.writeString(half.resolve("config.json"), "{");
      Files.writeString(
          run.resolve("metrics.jsonl"), "{\"step\": 3, \"lo", StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void theFolderHoldsWhatTheDocumentationSays() throws IOException {
    Path path = folder.resolve("run");
    run(path);
    try (RunFolder runFolder = RunFolder.open(path)) {
      assertEquals(
          List.of("step-00000020", "step-00000024"),
          runFolder.checkpoints().stream()
              .map(p -> p.getFileName().toString())
              .collect(Collectors.toList()),
          "the newest two");
    }
    for (String file : List.of("optimizer.safetensors", "training.json", "config.json")) {
      assertTrue(Files.exists(path.resolve("checkpoints/step-00000024").resolve(file)), file);
    }
    for (String model : List.of("model", "checkpoints/step-00000024")) {
      try (Model loaded = Model.load(path.resolve(model), ModelOptions.defaults().backend("cpu"))) {
        assertEquals(Models.VOCABULARY, loaded.config().vocabSize());
      }
    }
    String svg = Files.readString(path.resolve("loss.svg"));
    assertTrue(svg.contains(">training loss<") && svg.contains(">validation loss<"), svg);
    assertTrue(svg.contains(">step<") && svg.contains(">loss (nats per token)<"), svg);
  }

  @Test
  void aFinishedRunIsLeftAloneAndALongerOneGoesOn() {
    Path path = folder.resolve("run");
    run(path);
    assertSame(
        TrainingRun.Outcome.FINISHED,
        run(
            path,
            step -> {
              throw new AssertionError("a step too many: " + step);
            },
            new TrainingRun[1]));
  }

  @Test
  void divergenceIsToldAndTheCheckpointIsGood() throws IOException {
    Path path = folder.resolve("run");
    try (Trainer trainer = trainer(path);
        RunFolder runFolder = RunFolder.open(path)) {
      TrainingListener poison =
          new TrainingListener() {
            @Override
            public void onStep(StepReport report) {
              if (report.step() == 8) {
                Parameter norm = trainer.parameters().get(1);
                Tensors.write(trainer, norm.weight(), new float[16]);
                Tensors.write(trainer, norm.v(), fill(Float.NaN));
              }
            }
          };
      TrainingRun run =
          new TrainingRun(
              trainer,
              runFolder,
              new ListSource(batches(7, 100), true),
              Optional.empty(),
              OPTIONS,
              poison);
      TrainingException e = assertThrows(TrainingException.class, run::run);
      assertTrue(e.getMessage().contains("is NaN at step 10"), e.getMessage());
      assertTrue(e.getMessage().endsWith("step-00000005"), e.getMessage());
    }
    assertSame(TrainingRun.Outcome.FINISHED, run(path));
  }

  private static float[] fill(float value) {
    float[] values = new float[16];
    Arrays.fill(values, value);
    return values;
  }

  @Test
  void twoRunsDoNotShareAFolder() {
    Path path = folder.resolve("run");
    try (RunFolder first = RunFolder.open(path)) {
      TrainingException e = assertThrows(TrainingException.class, () -> RunFolder.open(path));
      assertTrue(e.getMessage().contains("another training writes"), e.getMessage());
      assertEquals(path, first.path());
    }
    RunFolder.open(path).close();
  }

  @Test
  void refusesAFolderThatIsAFile() throws IOException {
    Path file = Files.writeString(folder.resolve("run"), "");
    TrainingException e = assertThrows(TrainingException.class, () -> RunFolder.open(file));
    assertTrue(e.getMessage().startsWith(file + ": the run folder cannot be"), e.getMessage());
  }

  @Test
  void refusesToBeginWhereThereIsAHistory() {
    Path path = folder.resolve("run");
    run(path);
    try (Trainer fresh =
            Trainer.builder(Models.tiny())
                .batch(ROWS, LENGTH)
                .options(ModelOptions.defaults().backend("cpu"))
                .build();
        RunFolder runFolder = RunFolder.open(path)) {
      TrainingRun run =
          new TrainingRun(
              fresh,
              runFolder,
              new ListSource(batches(7, 100), true),
              Optional.empty(),
              OPTIONS,
              new TrainingListener() {});
      TrainingException e = assertThrows(TrainingException.class, run::run);
      assertTrue(e.getMessage().contains("step-00000024"), e.getMessage());
    }
  }

  /** As on a full disk. */
  @Test
  void aFolderThatCannotBeWrittenLeavesTheOldOne() throws IOException {
    Path target = folder.resolve("model");
    Folders.create(target, path -> Files.writeString(path.resolve("a"), "good"));
    IOException full = new IOException("No space left on device");
    IOException e =
        assertThrows(
            IOException.class,
            () ->
                Folders.create(
                    target,
                    path -> {
                      Files.writeString(path.resolve("a"), "half");
                      throw full;
                    }));
    assertSame(full, e);
    assertEquals("good", Files.readString(target.resolve("a")));
    assertFalse(Files.exists(folder.resolve(".new-model")));
  }

  /** Killed between the two moves that replace a model. */
  @Test
  void anInterruptedReplacementIsUndone() throws IOException {
    Path path = folder.resolve("run");
    run(path);
    Files.move(path.resolve("model"), path.resolve(".old-model"));
    Files.createDirectories(path.resolve(".new-model"));
    RunFolder.open(path).close();
    assertTrue(Files.exists(path.resolve("model/model.safetensors")));
    assertFalse(Files.exists(path.resolve(".old-model")));
    assertFalse(Files.exists(path.resolve(".new-model")));
  }

  @Test
  void refusesOptionsThatMakeNoSense() {
    assertThrows(InvalidInputException.class, () -> OPTIONS.modelType(DType.Q8_0));
    assertThrows(InvalidInputException.class, () -> OPTIONS.steps(0));
    assertThrows(InvalidInputException.class, () -> OPTIONS.checkpoint(5, 0));
    assertThrows(InvalidInputException.class, () -> OPTIONS.evaluate(5, 0));
  }
}
