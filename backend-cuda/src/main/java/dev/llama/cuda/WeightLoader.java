package dev.llama.cuda;

import dev.llama.BackendException;
import dev.llama.DType;
import dev.llama.spi.TensorData;

/**
 * Brings weights to the device: streamed from the mapping of the file through the pinned buffers of
 * {@link Transfers}, so that no copy of a tensor is ever on the host. Blocks of quantised types are
 * then taken apart on the device, see {@link Format}.
 */
final class WeightLoader {
  private final Gpu gpu;
  private final QuantizedActivations eightBits;

  WeightLoader(Gpu gpu, QuantizedActivations eightBits) {
    this.gpu = gpu;
    this.eightBits = eightBits;
  }

  /**
   * Loads a tensor.
   *
   * @param data a matrix, or a vector, which becomes F32
   * @throws BackendException if memory does not suffice, or there are no kernels for the type
   */
  CudaTensor load(TensorData data) {
    Format format = Format.of(data.type());
    if (format == null) {
      throw new BackendException(
          data.name() + " is stored as " + data.type() + ", which cannot be computed with");
    }
    CudaTensor stored = upload(data, format);
    if (data.type().isQuantized()) {
      eightBits.want();
    }
    return data.shape().length == 1 && data.type() != DType.F32 ? decode(stored, format) : stored;
  }

  private CudaTensor upload(TensorData data, Format format) {
    long bytes = CudaTensor.byteSize(data.name(), data.type(), data.shape());
    CudaTensor.Owner owner = new CudaTensor.Owner(gpu, gpu.allocate(bytes, data.name()));
    try {
      // Whole blocks of every type, and no more than the work space may grow by.
      long chunk = (long) Transfers.CHUNK_BYTES / format.type().blockBytes();
      chunk *= format.type().blockBytes();
      for (long from = 0; from < bytes; from += chunk) {
        put(data, format, owner.address(), from, (int) Math.min(chunk, bytes - from), bytes);
      }
    } catch (RuntimeException | Error e) {
      owner.close();
      throw e;
    }
    return CudaTensor.whole(data.type(), data.shape(), owner);
  }

  private void put(
      TensorData data, Format format, long destination, long from, int bytes, long total) {
    gpu.enter();
    try {
      if (!format.isRepacked()) {
        gpu.transfers().upload(destination + from, data.bytes(from, bytes));
        return;
      }
      int block = format.type().blockBytes();
      long raw = gpu.scratch(Transfers.CHUNK_BYTES);
      gpu.transfers().upload(raw, data.bytes(from, bytes));
      gpu.launch(
          "repack",
          Grid.strides(gpu, bytes / 2),
          destination,
          raw,
          from / block,
          bytes / block,
          total / block,
          block,
          format.bodyOffset(),
          format.bodyBytes());
    } finally {
      gpu.exit();
    }
  }

  /** The vector as row 0 of a table of one row. */
  private CudaTensor decode(CudaTensor stored, Format format) {
    try {
      long[] shape = stored.shape();
      long bytes = CudaTensor.byteSize("a vector", DType.F32, shape);
      CudaTensor.Owner owner = new CudaTensor.Owner(gpu, gpu.allocate(bytes, "a vector"));
      gpu.enter();
      try {
        long zero = gpu.scratch(Integer.BYTES);
        gpu.clear(zero, Integer.BYTES);
        gpu.launch(
            "embed_" + format.suffix(),
            Grid.line(1),
            owner.address(),
            stored,
            zero,
            Math.toIntExact(shape[0]),
            1L);
      } catch (RuntimeException e) {
        owner.close();
        throw e;
      } finally {
        gpu.exit();
      }
      return CudaTensor.whole(DType.F32, shape, owner);
    } finally {
      stored.close();
    }
  }
}
