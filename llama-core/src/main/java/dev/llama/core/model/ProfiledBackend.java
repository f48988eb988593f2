package dev.llama.core.model;

import dev.llama.DType;
import dev.llama.OpListener;
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
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;

/** A backend whose operations are timed. Tensors, caches and batches are the real backend's. */
final class ProfiledBackend implements Backend {
  private final Backend backend;
  private final ProfiledOps ops;
  private final Map<Tensor, String> names =
      Collections.synchronizedMap(new IdentityHashMap<>()); // of weights
  private final Tensor any;
  private final ByteBuffer element = ByteBuffer.allocateDirect(Float.BYTES);

  /**
   * Wraps a backend, which is closed with this one.
   *
   * @param backend runs the operations
   * @param listener is told how long they take
   */
  ProfiledBackend(Backend backend, OpListener listener) {
    this.backend = backend;
    any = backend.allocate(DType.F32, 1);
    ops = new ProfiledOps(backend.ops(), this::await, names, listener);
  }

  /** Reading anything is what waits for all that was asked for before. */
  private void await() {
    backend.read(any, element.duplicate());
  }

  @Override
  public Tensor load(TensorData weight) {
    Tensor tensor = backend.load(weight);
    names.put(tensor, shortName(weight.name()));
    return tensor;
  }

  @Override
  public void matricesLoaded() {
    backend.matricesLoaded();
  }

  /** {@code model.layers.3.mlp.down_proj.weight} is {@code down_proj}. */
  private static String shortName(String name) {
    String[] parts = name.split("\\.");
    return parts.length < 2 ? name : parts[parts.length - 2];
  }

  @Override
  public String description() {
    return backend.description();
  }

  @Override
  public boolean supports(DType weight) {
    return backend.supports(weight);
  }

  @Override
  public Tensor allocate(DType type, long... shape) {
    return backend.allocate(type, shape);
  }

  @Override
  public KvCache newKvCache(KvShape shape) {
    return backend.newKvCache(shape);
  }

  @Override
  public Batch newBatch(int maxRows) {
    return backend.newBatch(maxRows);
  }

  @Override
  public void write(Tensor destination, ByteBuffer source) {
    backend.write(destination, source);
  }

  @Override
  public void read(Tensor source, ByteBuffer destination) {
    backend.read(source, destination);
  }

  @Override
  public Ops ops() {
    return ops;
  }

  @Override
  public Optional<GradOps> gradOps() {
    return backend.gradOps();
  }

  @Override
  public Optional<SampleOp> sampleOp() {
    return backend.sampleOp().map(ops::profiled);
  }

  /** Does not record: what is replayed cannot be timed op by op. */
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
    return backend.readBandwidth(bytes);
  }

  @Override
  public void close() {
    any.close();
    backend.close();
  }
}
