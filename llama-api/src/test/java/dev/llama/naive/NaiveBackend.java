package dev.llama.naive;

import dev.llama.BackendException;
import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.spi.Backend;
import dev.llama.spi.Batch;
import dev.llama.spi.GradOps;
import dev.llama.spi.KvCache;
import dev.llama.spi.KvShape;
import dev.llama.spi.Ops;
import dev.llama.spi.SampleOp;
import dev.llama.spi.Step;
import dev.llama.spi.Tensor;
import dev.llama.spi.TensorData;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Optional;

/** Everything on the Java heap, everything at once, on the calling thread. */
public class NaiveBackend implements Backend {
  private final Ops ops;
  private final GradOps gradOps;
  private final SampleOp sampleOp;

  public NaiveBackend() {
    this(new NaiveOps(), new NaiveGradOps());
  }

  NaiveBackend(Ops ops, GradOps gradOps) {
    this(ops, gradOps, new NaiveSampleOp());
  }

  NaiveBackend(Ops ops, GradOps gradOps, SampleOp sampleOp) {
    this.ops = ops;
    this.gradOps = gradOps;
    this.sampleOp = sampleOp;
  }

  @Override
  public String description() {
    return "naive: double arithmetic on the Java heap, 1 thread";
  }

  @Override
  public boolean supports(DType weight) {
    return Formats.readable(weight);
  }

  @Override
  public Tensor allocate(DType type, long... shape) {
    long size = 1;
    for (long n : shape) {
      size = n > 0 && size > Long.MAX_VALUE / n ? Long.MAX_VALUE : size * n;
    }
    return new NaiveTensor(type, memory(size), 0, shape);
  }

  private static double[] memory(long size) {
    Runtime runtime = Runtime.getRuntime();
    long free = runtime.maxMemory() - runtime.totalMemory() + runtime.freeMemory();
    if (size < 0 || size > free / Double.BYTES || size > Integer.MAX_VALUE - 8) {
      throw new BackendException(
          "a tensor of " + size + " elements needs 8 bytes for each, " + free + " are available");
    }
    return new double[(int) size];
  }

  @Override
  public Tensor load(TensorData weight) {
    DType type = weight.type();
    if (!supports(type)) {
      throw new BackendException(
          weight.name() + " is stored as " + type + ", which this backend does not support");
    }
    double[] values = memory(weight.byteSize() / type.blockBytes() * type.blockElements());
    int chunk = TensorData.MAX_SLICE / type.blockBytes() * type.blockBytes();
    int filled = 0;
    for (long at = 0; at < weight.byteSize(); at += chunk) {
      ByteBuffer bytes = weight.bytes(at, (int) Math.min(chunk, weight.byteSize() - at));
      double[] part = Formats.decode(type, bytes);
      System.arraycopy(part, 0, values, filled, part.length);
      filled += part.length;
    }
    return new NaiveTensor(DType.F32, values, 0, weight.shape());
  }

  @Override
  public KvCache newKvCache(KvShape shape) {
    return new NaiveKvCache(shape);
  }

  @Override
  public Batch newBatch(int maxRows) {
    return new NaiveBatch(maxRows);
  }

  @Override
  public void write(Tensor destination, ByteBuffer source) {
    NaiveTensor tensor = (NaiveTensor) destination;
    if (source.remaining() != 4L * tensor.size()) {
      throw mismatch("write", tensor, source);
    }
    ByteBuffer bytes = source.slice().order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < tensor.size(); i++) {
      tensor.set(i, tensor.type() == DType.I32 ? bytes.getInt() : bytes.getFloat());
    }
    source.position(source.limit());
  }

  @Override
  public void read(Tensor source, ByteBuffer destination) {
    NaiveTensor tensor = (NaiveTensor) source;
    if (destination.remaining() < 4L * tensor.size()) {
      throw mismatch("read", tensor, destination);
    }
    ByteBuffer bytes = destination.slice().order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < tensor.size(); i++) {
      if (tensor.type() == DType.I32) {
        bytes.putInt((int) tensor.get(i));
      } else {
        bytes.putFloat((float) tensor.get(i));
      }
    }
    destination.position(destination.position() + bytes.position());
  }

  private static InvalidInputException mismatch(String op, NaiveTensor tensor, ByteBuffer buffer) {
    return new InvalidInputException(
        op
            + ": the tensor "
            + Arrays.toString(tensor.shape())
            + " has "
            + 4L * tensor.size()
            + " bytes, the buffer "
            + buffer.remaining());
  }

  @Override
  public Ops ops() {
    return ops;
  }

  @Override
  public Optional<GradOps> gradOps() {
    return Optional.of(gradOps);
  }

  @Override
  public Optional<SampleOp> sampleOp() {
    return Optional.of(sampleOp);
  }

  @Override
  public Step record(Runnable body) {
    return new Step() {
      @Override
      public void run() {
        body.run();
      }

      @Override
      public void close() {}
    };
  }

  @Override
  public void close() {}
}
