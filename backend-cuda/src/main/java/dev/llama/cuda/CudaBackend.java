package dev.llama.cuda;

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
import java.util.Optional;

/** Memory and operations of one GPU. */
final class CudaBackend implements Backend {
  /** Room for the work space and a small cache; weights and more are asked for as they come. */
  private static final long LEAST_FREE = 128L << 20;

  private final Gpu gpu;
  private final Optional<LargeProducts> library;
  private final CudaOps ops;
  private final CudaGradOps gradOps;
  private final CudaSampleOp sampleOp;
  private final WeightLoader weights;
  private final String description;

  private CudaBackend(Gpu gpu) {
    this.gpu = gpu;
    QuantizedActivations eightBits = new QuantizedActivations(gpu);
    CudaAttention attention = new CudaAttention(gpu, eightBits);
    library = LargeProducts.open(gpu);
    ops = new CudaOps(gpu, new Products(gpu, library, eightBits), attention, eightBits);
    gradOps = new CudaGradOps(gpu, ops, attention);
    sampleOp = new CudaSampleOp(gpu);
    weights = new WeightLoader(gpu, eightBits);
    description =
        "cuda:"
            + gpu.device().index()
            + " — "
            + gpu.device().description()
            + "; own kernels, "
            + (library.isPresent()
                ? LargeProducts.version() + " for large products with BF16 weights"
                : "also for large products (no cuBLASLt that works)");
  }

  /**
   * Opens a device.
   *
   * @param device which
   * @throws BackendException if the driver refuses, or others have left too little memory
   */
  static CudaBackend open(Device device) {
    Gpu gpu = new Gpu(device);
    try {
      long free = gpu.freeMemory();
      if (free < LEAST_FREE) {
        throw new BackendException(
            device + " has " + free + " bytes of memory free, needed are " + LEAST_FREE);
      }
      return new CudaBackend(gpu);
    } catch (RuntimeException | Error e) {
      gpu.close();
      throw e;
    }
  }

  @Override
  public String description() {
    return description;
  }

  @Override
  public boolean supports(DType weight) {
    return Format.of(weight) != null;
  }

  @Override
  public Tensor allocate(DType type, long... shape) {
    requireOpen();
    if (type != DType.F32 && type != DType.I32) {
      throw new InvalidInputException("allocate: the type must be F32 or I32, not " + type);
    }
    String name = "a tensor " + type + " " + CudaTensor.describe(shape);
    long bytes = CudaTensor.byteSize(name, type, shape);
    return CudaTensor.whole(type, shape, new CudaTensor.Owner(gpu, gpu.allocateZeros(bytes, name)));
  }

  @Override
  public Tensor load(TensorData weight) {
    requireOpen();
    return weights.load(weight);
  }

  @Override
  public KvCache newKvCache(KvShape shape) {
    requireOpen();
    return new CudaKvCache(gpu, shape);
  }

  @Override
  public Batch newBatch(int maxRows) {
    requireOpen();
    return new CudaBatch(gpu, maxRows);
  }

  @Override
  public void write(Tensor destination, ByteBuffer source) {
    CudaTensor tensor = transferable("write", destination);
    if (source.remaining() != tensor.byteSize()) {
      throw new InvalidInputException(
          "write: the source has "
              + source.remaining()
              + " bytes, the tensor "
              + CudaTensor.describe(tensor.shape())
              + " has "
              + tensor.byteSize());
    }
    gpu.enter();
    try {
      gpu.transfers().upload(tensor.address(), source);
    } finally {
      gpu.exit();
    }
    source.position(source.limit());
  }

  @Override
  public void read(Tensor source, ByteBuffer destination) {
    CudaTensor tensor = transferable("read", source);
    long bytes = tensor.byteSize();
    if (destination.remaining() < bytes) {
      throw new InvalidInputException(
          "read: the destination has room for "
              + destination.remaining()
              + " bytes, the tensor "
              + CudaTensor.describe(tensor.shape())
              + " has "
              + bytes);
    }
    gpu.enter();
    try {
      gpu.transfers().download(destination, tensor.address(), bytes);
    } finally {
      gpu.exit();
    }
    destination.position(destination.position() + (int) bytes);
  }

  private static CudaTensor transferable(String op, Tensor tensor) {
    CudaTensor own = Checks.own(op, "the tensor", tensor);
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
  public Optional<SampleOp> sampleOp() {
    return Optional.of(sampleOp);
  }

  @Override
  public Step record(Runnable body) {
    requireOpen();
    return new CudaStep(gpu, ops, body);
  }

  private void requireOpen() {
    if (gpu.isClosed()) {
      throw new InvalidInputException("the backend is closed");
    }
  }

  @Override
  public void close() {
    gpu.close(() -> library.ifPresent(LargeProducts::close));
  }
}
