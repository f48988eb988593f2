package dev.llama.core.plan;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.ModelConfig;
import dev.llama.core.plan.Term.Kind;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class PlanTest {
  private static final long GB = 1_000_000_000;
  private static final ModelConfig SMALL = ModelConfig.preset("llama-3.2-1b"); // tied, 8 key heads
  private static final ModelConfig LARGE = ModelConfig.preset("llama-3.1-70b");

  private static Workload.Inference inference(int context, int batch, DType weights) {
    return new Workload.Inference(context, batch, 512, weights, DType.F32);
  }

  private static Cluster unlimited() {
    return new Cluster(0, 0, Optional.empty());
  }

  private static Plan plan(
      ModelConfig config, Workload work, int tensor, int pipeline, int context) {
    return Plan.of(config, work, unlimited(), new Degrees(tensor, pipeline, context, false));
  }

  private static long bytes(Plan plan, Kind kind) {
    return plan.stages().stream().mapToLong(s -> s.bytes(kind) * s.devices()).sum();
  }

  private static Term term(Stage stage, String name) {
    return stage.terms().stream().filter(t -> t.name().endsWith(name)).findFirst().orElseThrow();
  }

  static List<String> presets() {
    return ModelConfig.presets();
  }

  /** Nothing is forgotten or counted twice, whatever the model. */
  @ParameterizedTest
  @MethodSource("presets")
  void weightsOfOneDeviceAreTheParameters(String name) {
    ModelConfig config = ModelConfig.preset(name);
    Plan plan = plan(config, inference(64, 1, DType.F32), 1, 1, 1);
    assertEquals(4 * config.parameterCount(), bytes(plan, Kind.WEIGHTS));
    assertEquals(config.kvCacheBytes(64, DType.F32), bytes(plan, Kind.KV_CACHE));
  }

  /** A reader can check every number with a pocket calculator. */
  @Test
  void formulasEvaluateToTheirBytes() {
    List<Workload> works = List.of(inference(1000, 3, DType.Q4_K), new Workload.Training(1000, 3));
    for (Workload work : works) {
      Degrees degrees = new Degrees(4, 3, 2, true);
      for (Stage stage : Plan.of(SMALL, work, unlimited(), degrees).stages()) {
        long sum = 0;
        for (Term term : stage.terms()) {
          assertEquals(term.bytes(), evaluate(term.formula()), term.toString());
          sum += term.bytes();
        }
        assertEquals(sum, stage.bytes());
      }
    }
  }

  private static long evaluate(String formula) {
    long value = 1;
    boolean divide = false;
    for (String word : formula.replace(",", "").split(" ")) {
      if (word.equals("/")) {
        divide = true;
      } else if (word.matches("[0-9]+")) {
        value = divide ? value / Long.parseLong(word) : value * Long.parseLong(word);
        divide = false;
      }
    }
    return value;
  }

  @Test
  void tensorParallelismSlicesMatricesAndCopiesNorms() {
    Stage stage = plan(LARGE, inference(4096, 1, DType.BF16), 8, 1, 1).stages().get(0);
    assertEquals(8, stage.devices());
    assertEquals(2L * 80 * 1024 * 8192, term(stage, "q_proj.weight").bytes());
    assertEquals(2L * 80 * 128 * 8192, term(stage, "k_proj.weight").bytes());
    assertEquals(2L * 80 * 8192 * 1024, term(stage, "o_proj.weight").bytes());
    assertEquals(2L * 80 * 3584 * 8192, term(stage, "gate_proj.weight").bytes());
    assertEquals(2L * 80 * 8192 * 3584, term(stage, "down_proj.weight").bytes());
    assertEquals(2L * 16032 * 8192, term(stage, "lm_head.weight").bytes());
    assertEquals(4L * 80 * 8192, term(stage, "input_layernorm.weight").bytes());
    assertEquals(LARGE.kvCacheBytes(4096, DType.F32) / 8, stage.bytes(Kind.KV_CACHE));
  }

  @Test
  void beyondTheKeyHeadsEachDeviceHasOne() {
    Plan plan = plan(SMALL, inference(4096, 1, DType.BF16), 16, 1, 1);
    Stage stage = plan.stages().get(0);
    assertEquals(2L * 16 * 64 * 2048, term(stage, "k_proj.weight").bytes());
    assertEquals(SMALL.kvCacheBytes(4096, DType.F32) / 8, stage.bytes(Kind.KV_CACHE));
    assertTrue(plan.layers().get(2).here().contains("copies on 2 devices"), plan.toString());
  }

  @Test
  void aVocabularyMayBeSplitUnevenly() {
    ModelConfig config = ModelConfig.preset("code-llama-7b"); // 32016 / 32 = 1000.5
    Plan plan = plan(config, inference(64, 1, DType.BF16), 32, 1, 1);
    assertEquals(2L * 1001 * 4096, term(plan.stages().get(0), "lm_head.weight").bytes());
    assertTrue(plan.layers().get(0).here().endsWith("or one less"), plan.layers().toString());
  }

  @Test
  void pipelinesGiveBlocksInTheMiddleOneMore() {
    Plan plan = plan(LARGE, inference(4096, 1, DType.BF16), 1, 3, 1);
    assertEquals(List.of(27, 27, 26), plan.stages().stream().map(Stage::blocks).toList());
    assertEquals(List.of(0, 27, 54), plan.stages().stream().map(Stage::firstBlock).toList());
    Plan uneven = plan(SMALL, inference(64, 1, DType.F32), 1, 6, 1); // 16 = 6 x 2 + 4
    assertEquals(List.of(2, 3, 3, 3, 3, 2), uneven.stages().stream().map(Stage::blocks).toList());
    assertTrue(plan.stages().get(0).embedding() && plan.stages().get(2).head());
    assertEquals(2 * LARGE.parameterCount() + normSurplus(LARGE), bytes(plan, Kind.WEIGHTS));
  }

  /** Norms are F32: two bytes more than BF16. */
  private static long normSurplus(ModelConfig config) {
    return 2L * config.hiddenSize() * (2L * config.numHiddenLayers() + 1);
  }

  @Test
  void aTiedOutputIsCopiedToTheLastStage() {
    Plan plan = plan(SMALL, inference(64, 1, DType.F32), 1, 2, 1);
    assertEquals(4 * (SMALL.parameterCount() + 128256L * 2048), bytes(plan, Kind.WEIGHTS));
    assertTrue(plan.layers().get(4).here().contains("last stage"), plan.layers().toString());
  }

  @Test
  void contextParallelismSlicesTheCacheAndCopiesWeights() {
    Plan one = plan(SMALL, inference(8192, 2, DType.BF16), 1, 1, 1);
    Plan four = plan(SMALL, inference(8192, 2, DType.BF16), 1, 1, 4);
    assertEquals(bytes(one, Kind.KV_CACHE), bytes(four, Kind.KV_CACHE));
    assertEquals(4 * bytes(one, Kind.WEIGHTS), bytes(four, Kind.WEIGHTS));
    assertTrue(
        four.stages().get(0).bytes(Kind.ACTIVATIONS) < one.stages().get(0).bytes(Kind.ACTIVATIONS));
  }

  @Test
  void sequenceParallelismSharesTheRowsBetweenMatrices() {
    Workload work = new Workload.Training(4096, 1);
    Plan without = Plan.of(LARGE, work, unlimited(), new Degrees(8, 1, 1, false));
    Plan with = Plan.of(LARGE, work, unlimited(), new Degrees(8, 1, 1, true));
    String norms = "inputs and outputs of the norms";
    assertEquals(4L * 80 * 4096 * 4 * 8192, term(without.stages().get(0), norms).bytes());
    assertEquals(4L * 80 * 512 * 4 * 8192, term(with.stages().get(0), norms).bytes());
    assertEquals(
        term(without.stages().get(0), "keys, values").bytes(),
        term(with.stages().get(0), "keys, values").bytes());
  }

  @Test
  void rowsThatHoldNoWholeBlocksStayPlain() {
    // 11008 / 2 = 5504 is a multiple of 32 but not of 256.
    ModelConfig config = ModelConfig.preset("llama-2-7b");
    Stage stage = plan(config, inference(64, 1, DType.Q4_K), 2, 1, 1).stages().get(0);
    assertEquals(2L * 32 * 4096 * 5504, term(stage, "down_proj.weight").bytes());
    assertEquals(32L * 5504 * 4096 / 256 * 144, term(stage, "up_proj.weight").bytes());
  }

  @Test
  void trainingKeepsFourCopiesOfTheWeights() {
    Plan plan = plan(SMALL, new Workload.Training(128, 1), 1, 1, 1);
    assertEquals(4 * SMALL.parameterCount(), bytes(plan, Kind.WEIGHTS));
    assertEquals(4 * SMALL.parameterCount(), bytes(plan, Kind.GRADIENTS));
    assertEquals(8 * SMALL.parameterCount(), bytes(plan, Kind.OPTIMIZER));
    assertEquals(0, bytes(plan, Kind.KV_CACHE));
    long perRow = 4L * (4 * 2048 + 2 + 2 * 2048 + 2 * 512 + 32 + 3 * 8192); // kept by a block
    long head = 4L * (2 * 2048 + 1 + 128256 + 2);
    long gradients = 4L * (2 * 2048 + 2 * 2048 + 2 * 512 + 2 * 8192);
    assertEquals(128 * (16 * perRow + head + gradients + 8), bytes(plan, Kind.ACTIVATIONS));
  }

  @Test
  void laterStagesOfAPipelineHoldFewerMicroBatches() {
    Plan plan = plan(SMALL, new Workload.Training(128, 4), 1, 4, 1);
    for (Stage stage : plan.stages()) {
      String formula = term(stage, "log-sum-exp of attention").formula();
      assertTrue(formula.startsWith(4 - stage.index() + " micro-batch"), formula);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "llama-3.1-8b, 1",
    "llama-3.1-70b, 2", // 141 GB of weights
    "llama-3.1-405b, 11", // 812 GB: a pipeline of 11 whose stages have 11 or 12 of 126 blocks
  })
  void theSmallestSplitThatFits(String preset, int devices) {
    ModelConfig config = ModelConfig.preset(preset);
    Workload work = inference(2048, 1, DType.BF16);
    Cluster any = new Cluster(0, 80 * GB, Optional.empty());
    Plan plan = Plan.of(config, work, any, Degrees.smallest());
    assertTrue(plan.fits());
    assertEquals(devices, plan.split().devices());
    Cluster fewer = new Cluster(Math.max(1, devices - 1), 80 * GB, Optional.empty());
    assertEquals(devices == 1, Plan.of(config, work, fewer, Degrees.smallest()).fits());
  }

  /** The search looks at three stages alone. */
  @ParameterizedTest
  @ValueSource(ints = {2, 3, 5, 7, 16})
  void theFullestStageIsTheFirstTheSecondOrTheLast(int pipeline) {
    List<Workload> works =
        List.of(
            inference(512, 1, DType.Q4_0),
            inference(100_000, 8, DType.F32),
            new Workload.Training(64, 1),
            new Workload.Training(4096, 64));
    for (Workload work : works) {
      Plan plan = plan(SMALL, work, 1, pipeline, 1);
      long three =
          Math.max(
              plan.stages().get(0).bytes(),
              Math.max(plan.stages().get(1).bytes(), plan.stages().get(pipeline - 1).bytes()));
      assertEquals(three, plan.largestBytes());
    }
  }

  @Test
  void amongAsManyDevicesTensorParallelismComesFirst() {
    Cluster any = new Cluster(0, 80 * GB, Optional.empty());
    Plan plan = Plan.of(LARGE, inference(2048, 1, DType.BF16), any, Degrees.smallest());
    assertEquals(new Split(2, 1, 1, false), plan.split());
  }

  @Test
  void givenDegreesAreKeptWhileOthersAreFound() {
    Plan plan =
        Plan.of(
            LARGE,
            inference(2048, 1, DType.BF16),
            new Cluster(8, 80 * GB, Optional.empty()),
            new Degrees(1, 0, 1, false));
    assertEquals(new Split(1, 2, 1, false), plan.split());
  }

  @Test
  void whatFitsNowhereComesAsItsBestPlan() {
    Plan plan =
        Plan.of(
            LARGE,
            inference(131072, 64, DType.BF16),
            new Cluster(2, 80 * GB, Optional.empty()),
            Degrees.smallest());
    assertFalse(plan.fits());
    assertEquals(2, plan.split().devices());
    Plan hopeless =
        Plan.of(
            LARGE,
            inference(131072, 64, DType.BF16),
            new Cluster(0, 1, Optional.empty()),
            Degrees.smallest());
    assertFalse(hopeless.fits());
  }

  @Test
  void degreesThatCannotBeAreRefusedByName() {
    Workload work = inference(64, 1, DType.BF16);
    refused("tensor degree 3 does not divide the 32 attention heads", work, 3, 1, 1, 8);
    refused("pipeline degree 17 exceeds the 16 blocks", work, 1, 17, 1, 32);
    refused("context-parallel degree 65 exceeds the 64 positions", work, 1, 1, 65, 99);
    refused("need 16 devices, but there are at most 8", work, 4, 4, 1, 8);
    refused("exceeds 64 bits", new Workload.Training(131072, Integer.MAX_VALUE), 1, 1, 1, 1);
    ModelConfig odd = ModelConfig.preset("llama-1-33b"); // 52 heads, 17920 between
    assertThrows(InvalidInputException.class, () -> plan(odd, work, 8, 1, 1));
    assertThrows(InvalidInputException.class, () -> inference(64, 1, DType.I32));
    assertThrows(InvalidInputException.class, () -> inference(-1, 1, DType.F32));
    assertThrows(InvalidInputException.class, () -> inference(1, 0, DType.F32));
    assertThrows(InvalidInputException.class, () -> new Degrees(1, 1, 1, true));
    assertThrows(InvalidInputException.class, () -> new Degrees(-1, 1, 1, false));
    assertThrows(InvalidInputException.class, () -> new Cluster(-1, 0, Optional.empty()));
    assertThrows(InvalidInputException.class, () -> new Cluster(1, -1, Optional.empty()));
    assertThrows(InvalidInputException.class, () -> new Roofline(0, 1));
    assertThrows(InvalidInputException.class, () -> new Roofline(1, Double.NaN));
  }

  private static void refused(
      String reason, Workload work, int tensor, int pipeline, int context, int devices) {
    InvalidInputException e =
        assertThrows(
            InvalidInputException.class,
            () ->
                Plan.of(
                    SMALL,
                    work,
                    new Cluster(devices, 0, Optional.empty()),
                    new Degrees(tensor, pipeline, context, false)));
    assertTrue(e.getMessage().contains(reason), e.getMessage());
  }

  @Test
  void decodingReadsTheWeightsOnceAndTheCacheOfEachSession() {
    Roofline slow = new Roofline(1e15, 1e9); // bandwidth decides
    Plan plan =
        Plan.of(
            SMALL,
            inference(1024, 2, DType.F32),
            new Cluster(1, 0, Optional.of(slow)),
            Degrees.smallest());
    Estimate decode = plan.estimates().get(1);
    double bytes = 4.0 * SMALL.parameterCount() + 2 * SMALL.kvCacheBytes(1024, DType.F32);
    assertEquals(bytes, decode.stages().get(0).bytes());
    assertEquals(2 / (bytes / 1e9), decode.tokensPerSecond(), 1e-9);
    assertFalse(decode.stages().get(0).computeBound());
  }

  @Test
  void prefillIsTwoOperationsForEachWeightAndPosition() {
    Roofline fast = new Roofline(1e9, 1e18); // arithmetic decides
    Plan plan =
        Plan.of(
            SMALL,
            inference(1024, 2, DType.F32),
            new Cluster(1, 0, Optional.of(fast)),
            Degrees.smallest());
    Estimate prefill = plan.estimates().get(0);
    double matrices = SMALL.parameterCount() - 128256.0 * 2048 - 33 * 2048;
    double pairs = 1024 * 1025 / 2;
    double flops = 1024 * 2 * matrices + 16 * 4.0 * 2048 * pairs + 2 * 128256.0 * 2048;
    assertEquals(flops, prefill.stages().get(0).flops(), flops * 1e-12);
    assertEquals(1024 / (flops / 1e9), prefill.tokensPerSecond(), 1e-6);
    assertTrue(prefill.stages().get(0).computeBound());
  }

  @Test
  void aTrainingStepIsThreeForwardPasses() {
    Roofline fast = new Roofline(1e9, 1e18);
    Plan plan =
        Plan.of(
            SMALL,
            new Workload.Training(128, 4),
            new Cluster(4, 0, Optional.of(fast)),
            new Degrees(1, 4, 1, false));
    Estimate training = plan.estimates().get(0);
    double slowest =
        training.stages().stream().mapToDouble(Estimate.StageWork::seconds).max().orElseThrow();
    assertEquals(4 * 128 / (slowest * 7 / 4), training.tokensPerSecond(), 1e-6);
    double matrices = SMALL.parameterCount() - 33 * 2048; // the tied output is one of them
    double flops = training.stages().stream().mapToDouble(Estimate.StageWork::flops).sum();
    double attention = 4 * 16 * 4.0 * 2048 * (128 * 129 / 2);
    assertEquals(3 * (4 * 128 * 2 * matrices + attention), flops, flops * 1e-12);
  }
}
