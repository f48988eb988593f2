package dev.llama.train;

import dev.llama.DType;
import dev.llama.spi.AttentionDropout;
import dev.llama.spi.Backend;
import dev.llama.spi.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;

/**
 * Which attention weights are dropped: a function of the run's seed, the step and the batch within
 * it. There is no generator whose state a checkpoint would have to hold.
 */
final class DropoutSeed implements AutoCloseable {
  private final Backend backend;
  private final long seed;
  private final Tensor tensor; // I32 [2], null without dropout
  private final Optional<AttentionDropout> dropout;
  private final ByteBuffer host =
      ByteBuffer.allocateDirect(2 * Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN);

  DropoutSeed(Backend backend, TrainerOptions options) {
    this.backend = backend;
    seed = options.seed();
    float probability = (float) options.attentionDropout();
    tensor = probability == 0 ? null : backend.allocate(DType.I32, 2);
    dropout =
        Optional.ofNullable(tensor).map(numbers -> new AttentionDropout(probability, numbers));
  }

  /** What attention is to be told; empty without dropout. */
  Optional<AttentionDropout> dropout() {
    return dropout;
  }

  /** Determines the weights that the next forward and backward pass drop. */
  void set(long step, int batch) {
    if (tensor != null) {
      long bits = mix(seed + mix(step) + mix(~(long) batch));
      host.clear().putInt((int) bits).putInt((int) (bits >>> 32)).flip();
      backend.write(tensor, host);
    }
  }

  /** The bit mixer of a well-known generator of random numbers (Steele et al. 2014, figure 14). */
  private static long mix(long x) {
    long z = x + 0x9E3779B97F4A7C15L;
    z = (z ^ z >>> 30) * 0xBF58476D1CE4E5B9L;
    z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
    return z ^ z >>> 31;
  }

  @Override
  public void close() {
    if (tensor != null) {
      tensor.close();
    }
  }
}
