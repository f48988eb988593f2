package dev.llama.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.BackendException;
import dev.llama.InvalidInputException;
import dev.llama.ModelOptions;
import dev.llama.TrainingException;
import dev.llama.train.Parameters.Parameter;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What one step does, and what it refuses. */
class TrainerTest {
  private static final int ROWS = 4;
  private static final int LENGTH = 10;

  private static TrainerBuilder builder(Object... changes) {
    return Trainer.builder(Models.tiny(changes))
        .batch(ROWS, LENGTH)
        .schedule(Schedule.constant(0.01, 1))
        .options(ModelOptions.defaults().backend("cpu").threads(2));
  }

  private static TokenBatch batch(int rows, long seed) {
    return ListSource.random(rows, LENGTH, Models.VOCABULARY, seed);
  }

  @Test
  void learnsABatchByHeart() {
    try (Trainer trainer = builder().build()) {
      BatchSource source = ListSource.endless(batch(ROWS, 1));
      double first = trainer.step(source).loss();
      for (int i = 0; i < 150; i++) {
        trainer.step(source);
      }
      double last = trainer.step(source).loss();
      assertTrue(last < 0.1 * first, first + " became " + last);
      assertEquals(152, trainer.steps());
      assertEquals(152 * ROWS * LENGTH, trainer.tokensSeen());
    }
  }

  /** Every target weighs the same, however the documents fall on the batches. */
  @Test
  void accumulationEqualsTheLargerBatch() throws IOException {
    TokenBatch large = batch(2 * ROWS, 5);
    TokenBatch first = half(large, 0);
    TokenBatch second = half(large, 1);
    assertNotEquals(targets(first), targets(second), "unequal numbers of targets");
    try (Trainer whole = builder().batch(2 * ROWS, LENGTH).build();
        Trainer parts = builder().accumulation(2).build()) {
      Trainer.Gradients wanted = whole.gradients(ListSource.endless(large));
      Trainer.Gradients found = parts.gradients(ListSource.endless(first, second));
      assertEquals(wanted.targets(), found.targets());
      assertEquals(wanted.loss(), found.loss(), 1e-6);
      assertEquals(wanted.norm(), found.norm(), 1e-6 * wanted.norm());
      for (int i = 0; i < whole.parameters().size(); i++) {
        Parameter parameter = whole.parameters().get(i);
        float[] a = Tensors.read(whole, parameter.gradient());
        float[] b = Tensors.read(parts, parts.parameters().get(i).gradient());
        for (int j = 0; j < a.length; j++) {
          assertEquals(a[j], b[j], 1e-6, parameter.name());
        }
      }
    }
  }

  private static TokenBatch half(TokenBatch batch, int index) {
    TokenBatch half = new TokenBatch(ROWS, LENGTH);
    int from = index * ROWS * LENGTH;
    System.arraycopy(batch.tokens(), from, half.tokens(), 0, ROWS * LENGTH);
    System.arraycopy(batch.targets(), from, half.targets(), 0, ROWS * LENGTH);
    System.arraycopy(batch.documents(), from, half.documents(), 0, ROWS * LENGTH);
    return half;
  }

  private static long targets(TokenBatch batch) {
    return Arrays.stream(batch.targets()).filter(t -> t >= 0).count();
  }

  /** What stands in another document of the row, or in padding, changes nothing. */
  @Test
  void documentsAndPaddingDoNotSeeOneAnother() {
    TokenBatch batch = new TokenBatch(1, LENGTH);
    for (int i = 0; i < 7; i++) {
      batch.tokens()[i] = i;
      batch.documents()[i] = i < 4 ? 0 : 1;
      batch.targets()[i] = i == 3 || i == 6 ? -1 : i + 1;
    }
    TokenBatch other = copy(batch);
    Arrays.fill(batch.targets(), 0, 4, -1);
    Arrays.fill(other.targets(), 0, 4, -1);
    Arrays.fill(other.tokens(), 0, 4, 9); // another first document
    Arrays.fill(other.tokens(), 7, LENGTH, 11); // another padding
    try (Trainer trainer = builder().batch(1, LENGTH).build()) {
      Trainer.Gradients wanted = trainer.gradients(ListSource.endless(batch));
      Trainer.Gradients found = trainer.gradients(ListSource.endless(other));
      assertEquals(2, found.targets());
      assertEquals(wanted.loss(), found.loss(), 0);
    }
  }

  private static TokenBatch copy(TokenBatch batch) {
    TokenBatch copy = new TokenBatch(1, LENGTH);
    System.arraycopy(batch.tokens(), 0, copy.tokens(), 0, LENGTH);
    System.arraycopy(batch.targets(), 0, copy.targets(), 0, LENGTH);
    System.arraycopy(batch.documents(), 0, copy.documents(), 0, LENGTH);
    return copy;
  }

  @Test
  void weightDecayPullsMatricesAlone() throws IOException {
    double decay = 0.5;
    try (Trainer plain = builder().optimizer(AdamW.defaults().weightDecay(0)).build();
        Trainer decayed = builder().optimizer(AdamW.defaults().weightDecay(decay)).build()) {
      BatchSource source = ListSource.endless(batch(ROWS, 2));
      List<float[]> before = weights(plain);
      StepReport report = plain.step(source);
      decayed.step(source);
      List<float[]> after = weights(plain);
      List<float[]> pulled = weights(decayed);
      for (int i = 0; i < before.size(); i++) {
        Parameter parameter = plain.parameters().get(i);
        boolean matrix = parameter.weight().shape().length == 2;
        double part = matrix ? report.learningRate() * decay : 0;
        for (int j = 0; j < before.get(i).length; j++) {
          float pull = after.get(i)[j] - pulled.get(i)[j];
          assertEquals(part * before.get(i)[j], pull, 1e-7, parameter.name());
        }
      }
    }
  }

  private static List<float[]> weights(Trainer trainer) throws IOException {
    List<float[]> all = new ArrayList<>();
    for (Parameter parameter : trainer.parameters()) {
      all.add(Tensors.read(trainer, parameter.weight()));
    }
    return all;
  }

  @Test
  void clippingBoundsTheNormAndIsNotFeltBelow() throws IOException {
    BatchSource source = ListSource.endless(batch(ROWS, 2));
    try (Trainer open = builder().clip(0).build();
        Trainer wide = builder().clip(1e6).build();
        Trainer tight = builder().clip(1e-3).optimizer(new AdamW(0, 0, 0.5, 0)).build();
        Trainer half = builder().clip(5e-4).optimizer(new AdamW(0, 0, 0.5, 0)).build()) {
      open.step(source);
      wide.step(source);
      float[] a = Tensors.read(open, open.parameters().get(0).weight());
      assertEquals(0, Arrays.compare(a, Tensors.read(wide, wide.parameters().get(0).weight())));
      // With a large eps and no memory, AdamW is close to gradient descent: half the norm, half the
      // way.
      float[] start = Tensors.read(tight, tight.parameters().get(0).weight());
      tight.step(source);
      half.step(source);
      float[] full = Tensors.read(tight, tight.parameters().get(0).weight());
      float[] less = Tensors.read(half, half.parameters().get(0).weight());
      double way = distance(start, full);
      assertTrue(way > 0);
      assertEquals(0.5, distance(start, less) / way, 0.01);
    }
  }

  private static double distance(float[] a, float[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += Math.pow((double) a[i] - b[i], 2);
    }
    return Math.sqrt(sum);
  }

  @Test
  void dropoutChangesTrainingAndNotEvaluation() {
    BatchSource source = ListSource.endless(batch(ROWS, 2));
    try (Trainer without = builder().build();
        Trainer with = builder("attention_dropout", 0.5).build();
        Trainer overridden = builder("attention_dropout", 0.5).attentionDropout(0).build()) {
      double exact = without.gradients(source).loss();
      assertNotEquals(exact, with.gradients(source).loss());
      assertEquals(exact, overridden.gradients(source).loss());
      assertEquals(
          without.evaluate(source, 1).loss(), with.evaluate(source, 1).loss(), "evaluation");
    }
  }

  @Test
  void evaluationTellsThePerplexityOfAllBatches() {
    TokenBatch first = batch(ROWS, 1);
    TokenBatch second = batch(ROWS, 2);
    try (Trainer trainer = builder().evaluationOnly().build();
        Trainer training = builder().build()) {
      Evaluation both = trainer.evaluate(new ListSource(List.of(first, second), false), 10);
      assertEquals(2, both.batches());
      assertEquals(targets(first) + targets(second), both.targets());
      assertEquals(Math.exp(both.loss()), both.perplexity());
      Trainer.Gradients one = training.gradients(ListSource.endless(first));
      assertEquals(one.loss(), trainer.evaluate(ListSource.endless(first), 1).loss(), 1e-9);
      assertThrows(InvalidInputException.class, () -> trainer.step(ListSource.endless(first)));
      assertTrue(trainer.memoryBytes() < training.memoryBytes() / 2);
    }
  }

  @Test
  void refusesBadBatchesByPlace() {
    TokenBatch bad = batch(ROWS, 1);
    bad.tokens()[LENGTH + 3] = Models.VOCABULARY;
    TokenBatch empty = new TokenBatch(ROWS, LENGTH);
    try (Trainer trainer = builder().build()) {
      InvalidInputException e =
          assertThrows(InvalidInputException.class, () -> trainer.step(ListSource.endless(bad)));
      assertTrue(e.getMessage().startsWith("row 1, position 3: token 20 "), e.getMessage());
      assertThrows(TrainingException.class, () -> trainer.step(ListSource.endless(empty)));
      ListSource none = new ListSource(List.of(), false);
      assertThrows(TrainingException.class, () -> trainer.step(none));
      assertThrows(TrainingException.class, () -> trainer.evaluate(none, 1));
      assertEquals(0, trainer.steps());
      trainer.step(ListSource.endless(batch(ROWS, 1))); // and goes on
    }
  }

  @Test
  void aLossThatIsNoNumberLeavesTheWeightsAlone() throws IOException {
    try (Trainer trainer = builder().build()) {
      Parameter norm = trainer.parameters().get(1);
      float[] values = Tensors.read(trainer, norm.weight());
      values[0] = Float.NaN;
      Tensors.write(trainer, norm.weight(), values);
      float[] before = Tensors.read(trainer, trainer.parameters().get(0).weight());
      TrainingException e =
          assertThrows(
              TrainingException.class, () -> trainer.step(ListSource.endless(batch(ROWS, 1))));
      assertTrue(e.getMessage().contains("the loss is NaN at step 1"), e.getMessage());
      assertEquals(
          0, Arrays.compare(before, Tensors.read(trainer, trainer.parameters().get(0).weight())));
    }
  }

  @Test
  void refusesOptionsThatMakeNoSense() {
    assertThrows(InvalidInputException.class, () -> builder().batch(0, 5).build());
    assertThrows(InvalidInputException.class, () -> builder().batch(1, 65).build());
    assertThrows(InvalidInputException.class, () -> builder().accumulation(0).build());
    assertThrows(InvalidInputException.class, () -> builder().clip(-1).build());
    assertThrows(InvalidInputException.class, () -> builder().attentionDropout(1).build());
    assertThrows(InvalidInputException.class, () -> AdamW.defaults().weightDecay(-1));
    assertThrows(
        BackendException.class,
        () -> builder().options(ModelOptions.defaults().backend("nonesuch")).build());
  }

  @Test
  void closesTwiceAndRefusesToGoOn() {
    Trainer trainer = builder().build();
    trainer.close();
    trainer.close();
    assertThrows(
        InvalidInputException.class, () -> trainer.step(ListSource.endless(batch(ROWS, 1))));
  }
}
