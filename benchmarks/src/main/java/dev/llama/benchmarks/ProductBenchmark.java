package dev.llama.benchmarks;

import dev.llama.DType;
import dev.llama.cpu.CpuBackendProvider;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.Ops.Write;
import dev.llama.spi.Tensor;
import dev.llama.spi.TensorData;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.AuxCounters;
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
 * Products of activations with a matrix of weights that is larger than the caches, on the CPU
 * backend. The counters are gigabytes of weights read per second, which bound the products of one
 * row, and multiply-adds per second (in units of 10^9 operations, two each), which bound those of
 * many.
 *
 * <pre>
 * mvn -Pbenchmarks -pl benchmarks -am package -DskipTests
 * java -jar benchmarks/target/benchmarks.jar ProductBenchmark -p type=Q4_0,Q8_0 -p rows=1,512 \
 *     -p threads=2 -jvmArgs -Dllama.cpu.level=avx2
 * </pre>
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class ProductBenchmark {
  /** How weights are stored. */
  @Param({"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"})
  public DType type;

  /** Rows of activations. */
  @Param({"1", "4", "512"})
  public int rows;

  /** Width of activations. */
  @Param("2048")
  public int inputs;

  /** Rows of weights. */
  @Param("65536")
  public int outputs;

  /** Threads of the backend; 0 for all processors. */
  @Param("0")
  public int threads;

  private Backend backend;
  private Tensor weight;
  private Tensor x;
  private Tensor out;

  /** What JMH adds to its results. */
  @State(Scope.Thread)
  @AuxCounters(AuxCounters.Type.OPERATIONS)
  public static class Counters {
    /** 10^9 bytes of weights. */
    public double gigabytes;

    /** 10^9 multiplications and additions. */
    public double gigaOperations;
  }

  /** Makes random weights and activations. */
  @Setup
  public void open() {
    backend = new CpuBackendProvider().open(new BackendOptions(Optional.empty(), threads));
    Random random = new Random(1);
    weight = backend.load(new RandomWeight(type, outputs, inputs, random));
    x = backend.allocate(DType.F32, rows, inputs);
    out = backend.allocate(DType.F32, rows, outputs);
    ByteBuffer floats =
        ByteBuffer.allocateDirect(rows * inputs * Float.BYTES).order(ByteOrder.nativeOrder());
    while (floats.hasRemaining()) {
      floats.putFloat((float) random.nextGaussian());
    }
    backend.write(x, floats.flip());
  }

  /** Frees them. */
  @TearDown
  public void close() {
    out.close();
    x.close();
    weight.close();
    backend.close();
  }

  /** Multiplies once. */
  @Benchmark
  public void multiply(Counters counters) {
    backend.ops().matmul(out, x, weight, Write.SET);
    counters.gigabytes += 1e-9 * type.bytes(inputs) * outputs;
    counters.gigaOperations += 2e-9 * rows * inputs * outputs;
  }

  /** Bytes whose numbers are finite and not small in any format: each is at most 0x3b. */
  private static final class RandomWeight implements TensorData {
    private final DType type;
    private final long[] shape;
    private final ByteBuffer bytes;

    RandomWeight(DType type, int outputs, int inputs, Random random) {
      this.type = type;
      this.shape = new long[] {outputs, inputs};
      bytes = ByteBuffer.allocateDirect(Math.toIntExact(type.bytes(inputs) * outputs));
      bytes.order(ByteOrder.LITTLE_ENDIAN);
      byte[] part = new byte[1 << 20];
      for (int i = 0; i < part.length; i++) {
        part[i] = (byte) (0x2c + random.nextInt(16));
      }
      while (bytes.hasRemaining()) {
        bytes.put(part, 0, Math.min(part.length, bytes.remaining()));
      }
      bytes.clear();
    }

    @Override
    public String name() {
      return "random";
    }

    @Override
    public DType type() {
      return type;
    }

    @Override
    public long[] shape() {
      return shape.clone();
    }

    @Override
    public long byteSize() {
      return bytes.capacity();
    }

    @Override
    public ByteBuffer bytes(long offset, int length) {
      ByteBuffer part = bytes.duplicate();
      part.position((int) offset).limit((int) offset + length);
      return part.slice().asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }
  }
}
