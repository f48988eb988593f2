package dev.llama.core.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.llama.DType;
import dev.llama.ModelConfig;
import dev.llama.core.config.ConfigReader;
import dev.llama.core.config.RopeFrequencies;
import dev.llama.naive.NaiveProvider;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.KvCache;
import dev.llama.spi.KvShape;
import dev.llama.spi.RopeTable;
import dev.llama.spi.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Paths;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** One forward pass serves any mixture of sequences, and each gets what it gets alone. */
class DecoderTest {
  private static final int[] LONG = {3, 1, 4, 1, 5, 9, 2, 6};
  private static final int[] SHORT = {2, 7, 1, 8};
  private static final String CONFIG =
      """
      {"model_type": "llama", "hidden_size": 16, "intermediate_size": 24, "vocab_size": 12,
       "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2,
       "max_position_embeddings": 64, "initializer_range": 0.5, "rms_norm_eps": 1e-5}
      """;

  private final ModelConfig config =
      ConfigReader.parse(Paths.get("config.json"), CONFIG.getBytes(StandardCharsets.UTF_8));
  private final Backend backend = new NaiveProvider().open(BackendOptions.defaults());
  private final RopeTable rope = rope();
  private final Workspace workspace =
      new Workspace(
          backend,
          config,
          new Decoder(
              config,
              Weights.load(config.layers(), new RandomWeights(backend, 5, 0.5), () -> {}),
              backend.ops()),
          rope,
          16);

  @AfterEach
  void close() {
    workspace.close();
    backend.close();
  }

  private RopeTable rope() {
    float[] frequencies = RopeFrequencies.inverseFrequencies(config, 1);
    Tensor tensor = backend.allocate(DType.F32, frequencies.length);
    ByteBuffer bytes = ByteBuffer.allocate(4 * frequencies.length).order(ByteOrder.LITTLE_ENDIAN);
    bytes.asFloatBuffer().put(frequencies);
    backend.write(tensor, bytes);
    return new RopeTable(tensor, 1, RopeTable.Pairing.HALVES);
  }

  private KvCache cache() {
    return backend.newKvCache(new KvShape(2, 2, 4, DType.F32, 64));
  }

  /** Adds rows of one sequence to the batch. */
  private void add(KvCache cache, int[] tokens, int from, int to) {
    cache.reserve(to);
    workspace.batch().add(cache, tokens, from, to - from, from);
  }

  /** Runs the batch and returns the logits of its last {@code wanted} rows. */
  private float[][] run(int rows, int wanted) {
    workspace.batch().commit();
    workspace.forward(rows, rope, rows - wanted);
    workspace.logits(rows - wanted, wanted);
    float[][] logits = new float[wanted][config.vocabSize()];
    for (int i = 0; i < wanted; i++) {
      workspace.readLogits(i, logits[i]);
    }
    return logits;
  }

  private float[] alone(int[] tokens) {
    try (KvCache cache = cache()) {
      workspace.batch().clear();
      add(cache, tokens, 0, tokens.length);
      return run(tokens.length, 1)[0];
    }
  }

  @Test
  void sequencesInOneBatchDoNotSeeEachOther() {
    float[] longAlone = alone(LONG);
    float[] shortAlone = alone(SHORT);
    try (KvCache a = cache();
        KvCache b = cache()) {
      workspace.batch().clear();
      add(a, LONG, 0, 5);
      run(5, 1);
      // A token of one sequence beside the beginning of another, then the other way round.
      workspace.batch().clear();
      add(a, LONG, 5, 6);
      add(b, SHORT, 0, 3);
      run(4, 4);
      workspace.batch().clear();
      add(a, LONG, 6, 8);
      add(b, SHORT, 3, 4);
      float[][] last = run(3, 2);
      assertArrayEquals(longAlone, last[0], 1e-4f);
      assertArrayEquals(shortAlone, last[1], 1e-4f);
    }
  }

  /** Rows behind the last attention are left out only where nobody reads them. */
  @Test
  void leavingRowsOutChangesNothing() {
    try (KvCache a = cache();
        KvCache b = cache()) {
      workspace.batch().clear();
      add(a, LONG, 0, 8);
      float[][] all = run(8, 8);
      assertArrayEquals(alone(LONG), all[7], 1e-5f);
      workspace.batch().clear();
      add(b, LONG, 0, 6);
      workspace.batch().commit();
      workspace.forward(6, rope, 6);
      workspace.batch().clear();
      add(b, LONG, 6, 8);
      assertArrayEquals(all[7], run(2, 1)[0], 1e-4f);
    }
  }
}
