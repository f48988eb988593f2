package dev.llama.benchmarks;

import dev.llama.DType;
import dev.llama.cpu.CpuBackendProvider;
import dev.llama.spi.AttentionSpec;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.Batch;
import dev.llama.spi.KvCache;
import dev.llama.spi.KvShape;
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
 * Attention of one block of Llama 3.2 1B (32 heads, 8 of keys, 64 wide) on the CPU backend: rows of
 * one sequence behind a number of positions.
 *
 * <pre>
 * mvn -Pbenchmarks -pl benchmarks -am package -DskipTests
 * java -jar benchmarks/target/benchmarks.jar AttentionBenchmark -p threads=2
 * </pre>
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class AttentionBenchmark {
  private static final int HEADS = 32;
  private static final int KEY_HEADS = 8;
  private static final int SIZE = 64;

  /** Rows, and positions before them. */
  @Param({"1@1024", "1@8192", "512@0"})
  public String rows;

  /** How keys and values are stored. */
  @Param({"F16", "F32"})
  public DType cache;

  /** Threads of the backend; 0 for all cores. */
  @Param("0")
  public int threads;

  private final AttentionSpec spec =
      new AttentionSpec(0, HEADS, KEY_HEADS, SIZE, (float) (1 / Math.sqrt(SIZE)), 0);

  private Backend backend;
  private Tensor out;
  private Tensor query;
  private Tensor key;
  private Tensor value;
  private KvCache keyValues;
  private Batch batch;

  /** Makes random queries, keys and values, and fills the cache. */
  @Setup
  public void open() {
    backend = new CpuBackendProvider().open(new BackendOptions(Optional.empty(), threads));
    String[] parts = rows.split("@");
    int count = Integer.parseInt(parts[0]);
    int depth = Integer.parseInt(parts[1]);
    Random random = new Random(1);
    out = RandomTensors.floats(backend, random, count, HEADS * SIZE);
    query = RandomTensors.floats(backend, random, count, HEADS * SIZE);
    key = RandomTensors.floats(backend, random, count, KEY_HEADS * SIZE);
    value = RandomTensors.floats(backend, random, count, KEY_HEADS * SIZE);
    keyValues =
        backend.newKvCache(new KvShape(1, KEY_HEADS, SIZE, cache, Math.max(1, depth + count)));
    keyValues.reserve(depth + count);
    batch = backend.newBatch(count);
    for (int position = 0; position < depth; position += count) {
      place(Math.min(count, depth - position), position);
      attend();
    }
    place(count, depth);
  }

  private void place(int count, int position) {
    batch.clear();
    batch.add(keyValues, new int[count], 0, count, position);
    batch.commit();
  }

  /** Frees them. */
  @TearDown
  public void close() {
    batch.close();
    keyValues.close();
    backend.close();
  }

  /** Appends keys and values of the rows to the cache, over those of the time before. */
  @Benchmark
  public void attend() {
    backend.ops().attention(out, null, query, key, value, batch, spec);
  }
}
