package dev.llama.cpu;

import dev.llama.BackendException;
import dev.llama.DType;
import dev.llama.InvalidInputException;
import dev.llama.spi.Backend;
import dev.llama.spi.Batch;
import dev.llama.spi.GradOps;
import dev.llama.spi.KvCache;
import dev.llama.spi.KvShape;
import dev.llama.spi.Ops;
import dev.llama.spi.Step;
import dev.llama.spi.Tensor;
import dev.llama.spi.TensorData;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.OptionalDouble;

/** Memory, threads and operations on the CPU. The tiers differ in their operations alone. */
final class CpuBackend implements Backend {
  private final String description;
  private final WorkerPool pool;
  private final DirectMemory memory = new DirectMemory();
  private final Ops ops;
  private final GradOps gradOps;
  private final Optional<MappedPages> pages;

  /**
   * Puts a backend together, which then owns the threads.
   *
   * @param description what exactly runs
   * @param pool threads
   * @param ops operations on this backend's tensors
   * @param gradOps their gradients
   * @param pages what prepares the pages of weights, if something can
   */
  CpuBackend(
      String description, WorkerPool pool, Ops ops, GradOps gradOps, Optional<MappedPages> pages) {
    this.description = description;
    this.pool = pool;
    this.ops = ops;
    this.gradOps = gradOps;
    this.pages = pages;
  }

  @Override
  public String description() {
    return description;
  }

  /** Returns where its memory comes from, for tests. */
  DirectMemory memory() {
    return memory;
  }

  @Override
  public boolean supports(DType weight) {
    return Codec.exists(weight);
  }

  @Override
  public Tensor allocate(DType type, long... shape) {
    requireOpen();
    return Segments.allocate(memory, type, shape.clone());
  }

  @Override
  public Tensor load(TensorData weight) {
    requireOpen();
    if (!Codec.exists(weight.type())) {
      throw new BackendException(
          weight.name() + " is stored as " + weight.type() + ", which cannot be computed with");
    }
    if (weight.shape().length == 1) {
      return Segments.decode(memory, Codec.of(weight.type()), weight);
    }
    CpuTensor matrix = Segments.alias(weight);
    if (pages.isPresent()) {
      pages.get().prepare(matrix);
    }
    return matrix;
  }

  @Override
  public void matricesLoaded() {
    if (pages.isPresent()) {
      pages.get().enter();
    }
  }

  @Override
  public KvCache newKvCache(KvShape shape) {
    requireOpen();
    return new CpuKvCache(memory, shape);
  }

  @Override
  public Batch newBatch(int maxRows) {
    requireOpen();
    return new CpuBatch(memory, maxRows);
  }

  @Override
  public void write(Tensor destination, ByteBuffer source) {
    CpuTensor tensor = transferable("write", destination);
    if (source.remaining() != tensor.byteSize()) {
      throw new InvalidInputException(
          "write: the source has "
              + source.remaining()
              + " bytes, the tensor "
              + Segments.describe(tensor.shape())
              + " has "
              + tensor.byteSize());
    }
    int from = source.position();
    for (long row = 0; row < tensor.rows(); row += tensor.rowsInSegment(row)) {
      int bytes = (int) (tensor.rowsInSegment(row) * tensor.rowBytes());
      tensor.segment(row).bytes.put(tensor.offset(row), source, from, bytes);
      from += bytes;
    }
    source.position(from);
  }

  @Override
  public void read(Tensor source, ByteBuffer destination) {
    CpuTensor tensor = transferable("read", source);
    if (destination.remaining() < tensor.byteSize()) {
      throw new InvalidInputException(
          "read: the destination has room for "
              + destination.remaining()
              + " bytes, the tensor "
              + Segments.describe(tensor.shape())
              + " has "
              + tensor.byteSize());
    }
    int to = destination.position();
    for (long row = 0; row < tensor.rows(); row += tensor.rowsInSegment(row)) {
      int bytes = (int) (tensor.rowsInSegment(row) * tensor.rowBytes());
      destination.put(to, tensor.segment(row).bytes, tensor.offset(row), bytes);
      to += bytes;
    }
    destination.position(to);
  }

  private static CpuTensor transferable(String op, Tensor tensor) {
    CpuTensor own = Checks.own(op, "the tensor", tensor);
    if (own.type() != DType.F32 && own.type() != DType.I32) {
      throw new InvalidInputException(op + ": the tensor must be F32 or I32, not " + own.type());
    }
    return own;
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
  public OptionalDouble readBandwidth(long bytes) {
    requireOpen();
    return ReadBandwidth.measure(pool, bytes);
  }

  private void requireOpen() {
    if (pool.isClosed()) {
      throw new InvalidInputException("the backend is closed");
    }
  }

  @Override
  public void close() {
    pool.close();
    memory.close();
  }
}
