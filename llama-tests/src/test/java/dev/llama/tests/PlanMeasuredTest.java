package dev.llama.tests;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.llama.DType;
import dev.llama.Model;
import dev.llama.ModelConfig;
import dev.llama.ModelOptions;
import dev.llama.Session;
import dev.llama.SessionOptions;
import dev.llama.core.plan.Cluster;
import dev.llama.core.plan.Degrees;
import dev.llama.core.plan.Plan;
import dev.llama.core.plan.Stage;
import dev.llama.core.plan.Term.Kind;
import dev.llama.core.plan.Workload;
import dev.llama.spi.BackendProvider;
import dev.llama.tests.MeasuringProvider.Measuring;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a plan says is what sessions allocate, to the byte. */
class PlanMeasuredTest {
  private static final int CHUNK = 16;

  @TempDir Path folder;

  /** Runs something where the measuring backend is found. */
  private void measuring(Runnable body) throws IOException {
    Path services = Files.createDirectories(folder.resolve("META-INF/services"));
    Files.writeString(
        services.resolve(BackendProvider.class.getName()), MeasuringProvider.class.getName());
    Thread thread = Thread.currentThread();
    ClassLoader before = thread.getContextClassLoader();
    URL url = folder.toUri().toURL();
    try (URLClassLoader loader = new URLClassLoader(new URL[] {url}, before)) {
      thread.setContextClassLoader(loader);
      body.run();
    } finally {
      thread.setContextClassLoader(before);
    }
  }

  private static ModelOptions options() {
    return ModelOptions.defaults().backend("measuring");
  }

  private static Stage plan(ModelConfig config, int context, int sessions, DType kvType) {
    return Plan.of(
            config,
            new Workload.Inference(context, sessions, CHUNK, DType.F32, kvType),
            new Cluster(1, 0, Optional.empty()),
            Degrees.smallest())
        .stages()
        .get(0);
  }

  @ParameterizedTest
  @EnumSource(names = {"F32", "F16"})
  void twoSessionsThatFillTheirContext(DType kvType) throws IOException {
    measuring(
        () -> {
          try (Model model = Model.create(SessionTest.config(), 1, options())) {
            int context = Math.min(model.config().contextLength(), 100);
            SessionOptions options =
                SessionOptions.defaults()
                    .contextSize(context)
                    .prefillChunk(CHUNK)
                    .kvCacheType(kvType);
            try (Session one = model.newSession(options);
                Session two = model.newSession(options)) {
              // Each needs a work space of every size while the other has one.
              for (int rows = CHUNK; rows >= 1; rows /= 2) {
                int[] prompt = new int[rows];
                boolean[] nested = {false};
                one.append(
                    prompt,
                    (position, logits) -> {
                      if (!nested[0]) {
                        nested[0] = true;
                        two.append(prompt);
                      }
                    });
              }
              one.append(new int[context - one.position()]);
              two.append(new int[context - two.position()]);
              Measuring measured = MeasuringProvider.last;
              Stage plan = plan(model.config(), context, 2, kvType);
              assertEquals(plan.bytes(Kind.KV_CACHE), measured.cacheBytes());
              assertEquals(
                  plan.bytes(Kind.WEIGHTS) + plan.bytes(Kind.ACTIVATIONS),
                  measured.allocatedBytes + 2 * Integer.BYTES * measured.batchRows);
            }
          }
        });
  }

  @Test
  void weightsOfAFile() throws IOException {
    Path checkpoint = Files.createDirectory(folder.resolve("checkpoint"));
    Files.copy(SessionTest.config(), checkpoint.resolve("config.json"));
    ModelConfig config = ModelConfig.read(checkpoint);
    Map<String, long[]> shapes = new LinkedHashMap<>();
    config.layers().stream()
        .flatMap(layer -> layer.weights().stream())
        .forEach(
            weight ->
                shapes.put(
                    weight.name(), weight.shape().stream().mapToLong(Long::longValue).toArray()));
    Safetensors.write(
        checkpoint.resolve("model.safetensors"), shapes, (name, elements) -> new float[elements]);
    measuring(
        () -> {
          try (Model model = Model.load(checkpoint, options())) {
            assertEquals(
                plan(model.config(), 64, 1, DType.F32).bytes(Kind.WEIGHTS),
                MeasuringProvider.last.loadedBytes);
          }
        });
  }
}
