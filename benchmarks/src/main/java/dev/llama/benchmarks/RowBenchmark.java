package dev.llama.benchmarks;

import dev.llama.cpu.CpuBackendProvider;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.Ops;
import dev.llama.spi.RopeTable;
import dev.llama.spi.Tensor;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What works on single rows, in the sizes of Llama 3.2 1B, on the CPU backend.
 *
 * <pre>
 * mvn -Pbenchmarks -pl benchmarks -am package -DskipTests
 * java -jar benchmarks/target/benchmarks.jar RowBenchmark -p rows=1 -p threads=2
 * </pre>
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class RowBenchmark {
  private static final int HIDDEN = 2048;
  private static final int INTERMEDIATE = 8192;
  private static final int VOCABULARY = 128_256;
  private static final int KEY_WIDTH = 512;
  private static final int PAIRS = 32;
  private static final int LOGITS = 16; // rows at most

  /** Rows of activations. */
  @Param({"1", "512"})
  public int rows;

  /** Threads of the backend; 0 for all cores. */
  @Param("0")
  public int threads;

  private Backend backend;
  private Ops ops;
  private Tensor hidden;
  private Tensor normed;
  private Tensor key;
  private Tensor gate;
  private Tensor up;
  private Tensor gated;
  private Tensor weight;
  private Tensor table;
  private Tensor logits;
  private Tensor tokens;
  private Tensor best;
  private RopeTable rope;

  /** Makes random activations. */
  @Setup
  public void open() {
    backend = new CpuBackendProvider().open(new BackendOptions(Optional.empty(), threads));
    ops = backend.ops();
    Random random = new Random(1);
    hidden = RandomTensors.floats(backend, random, rows, HIDDEN);
    normed = RandomTensors.floats(backend, random, rows, HIDDEN);
    key = RandomTensors.floats(backend, random, rows, KEY_WIDTH);
    gate = RandomTensors.floats(backend, random, rows, INTERMEDIATE);
    up = RandomTensors.floats(backend, random, rows, INTERMEDIATE);
    gated = RandomTensors.floats(backend, random, rows, INTERMEDIATE);
    weight = RandomTensors.floats(backend, random, HIDDEN);
    table = RandomTensors.floats(backend, random, INTERMEDIATE, HIDDEN);
    logits = RandomTensors.floats(backend, random, Math.min(rows, LOGITS), VOCABULARY);
    tokens = RandomTensors.integers(backend, random, rows, INTERMEDIATE);
    best = RandomTensors.integers(backend, random, Math.min(rows, LOGITS), 1);
    rope = new RopeTable(RandomTensors.floats(backend, random, PAIRS), 1, RopeTable.Pairing.HALVES);
  }

  /** Frees them. */
  @TearDown
  public void close() {
    backend.close();
  }

  /** Rows of the embedding. */
  @Benchmark
  public void embed() {
    ops.embed(hidden, table, tokens);
  }

  /** Root-mean-square norm. */
  @Benchmark
  public void rmsNorm() {
    ops.rmsNorm(normed, null, hidden, weight, 1e-5f);
  }

  /** Rotates queries and keys. */
  @Benchmark
  public void rope() {
    ops.rope(normed, key, tokens, rope);
  }

  /** The gated activation. */
  @Benchmark
  public void swiGlu() {
    ops.swiGlu(gated, gate, up);
  }

  /** The residual connection. */
  @Benchmark
  public void add() {
    ops.add(hidden, normed);
  }

  /** The best of the scores, of at most 16 rows. */
  @Benchmark
  public void argmax() {
    ops.argmax(best, logits);
  }
}
