package dev.llama.tests;

import dev.llama.DType;
import dev.llama.spi.Availability;
import dev.llama.spi.Backend;
import dev.llama.spi.BackendOptions;
import dev.llama.spi.BackendProvider;
import dev.llama.spi.Batch;
import dev.llama.spi.GradOps;
import dev.llama.spi.KvCache;
import dev.llama.spi.KvShape;
import dev.llama.spi.Ops;
import dev.llama.spi.Step;
import dev.llama.spi.Tensor;
import dev.llama.spi.TensorData;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.ServiceLoader;

/** The backend {@code cpu:reference}, counting what is asked of it. Public for ServiceLoader. */
public final class MeasuringProvider implements BackendProvider {
  /** The backend opened last. */
  static Measuring last;

  @Override
  public String name() {
    return "measuring";
  }

  @Override
  public Availability probe() {
    return Availability.usable(1, "for tests");
  }

  @Override
  public Backend open(BackendOptions options) {
    ClassLoader loader = MeasuringProvider.class.getClassLoader();
    BackendProvider cpu =
        ServiceLoader.load(BackendProvider.class, loader).stream()
            .map(ServiceLoader.Provider::get)
            .filter(provider -> provider.name().equals("cpu"))
            .findFirst()
            .orElseThrow();
    last = new Measuring(cpu.open(new BackendOptions(Optional.of("reference"), 1)));
    return last;
  }

  /** Passes everything on. Tensors and caches are the real backend's. */
  static final class Measuring implements Backend {
    private final Backend backend;
    private final List<KvCache> caches = new ArrayList<>();
    long loadedBytes;
    long allocatedBytes;
    long batchRows;

    Measuring(Backend backend) {
      this.backend = backend;
    }

    long cacheBytes() {
      return caches.stream().mapToLong(KvCache::bytes).sum();
    }

    private static long bytes(Tensor tensor) {
      long elements = 1;
      for (long size : tensor.shape()) {
        elements *= size;
      }
      return tensor.type().bytes(elements);
    }

    @Override
    public Tensor allocate(DType type, long... shape) {
      Tensor tensor = backend.allocate(type, shape);
      allocatedBytes += bytes(tensor);
      return tensor;
    }

    @Override
    public Tensor load(TensorData weight) {
      Tensor tensor = backend.load(weight);
      loadedBytes += bytes(tensor);
      return tensor;
    }

    @Override
    public KvCache newKvCache(KvShape shape) {
      KvCache cache = backend.newKvCache(shape);
      caches.add(cache);
      return cache;
    }

    @Override
    public Batch newBatch(int maxRows) {
      batchRows += maxRows;
      return backend.newBatch(maxRows);
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
    public void write(Tensor destination, ByteBuffer source) {
      backend.write(destination, source);
    }

    @Override
    public void read(Tensor source, ByteBuffer destination) {
      backend.read(source, destination);
    }

    @Override
    public Ops ops() {
      return backend.ops();
    }

    @Override
    public Optional<GradOps> gradOps() {
      return backend.gradOps();
    }

    @Override
    public Step record(Runnable body) {
      return backend.record(body);
    }

    @Override
    public void close() {
      backend.close();
    }
  }
}
