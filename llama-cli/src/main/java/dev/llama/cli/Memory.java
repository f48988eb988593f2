package dev.llama.cli;

import dev.llama.DType;
import dev.llama.Layer;
import dev.llama.ModelConfig;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * How much memory a model takes.
 *
 * @param weights bytes of all weights, by the type that matrices are stored in
 * @param caches bytes of the KV cache of one session at several lengths
 */
record Memory(Map<DType, Long> weights, List<Cache> caches) {
  private static final List<DType> TYPES = List.of(DType.F32, DType.BF16, DType.Q8_0, DType.Q4_0);
  private static final int SHORTEST = 512;

  /** The cache at one length. */
  record Cache(int positions, long f32, long f16) {}

  static Memory of(ModelConfig config) {
    Map<DType, Long> weights = new EnumMap<>(DType.class);
    for (DType type : TYPES) {
      long bytes = 0;
      for (Layer layer : config.layers()) {
        for (Layer.Weight weight : layer.weights()) {
          bytes = Math.addExact(bytes, bytes(weight, type));
        }
      }
      weights.put(type, bytes);
    }
    return new Memory(weights, caches(config));
  }

  /**
   * Vectors stay plain: backends hold them in F32. Rows that are no multiple of a block cannot be
   * quantised; converters store them in F16.
   */
  private static long bytes(Layer.Weight weight, DType matrixType) {
    if (weight.shape().size() == 1) {
      return DType.F32.bytes(weight.elements());
    }
    long width = weight.shape().get(weight.shape().size() - 1);
    boolean fits = width % matrixType.blockElements() == 0;
    return (fits ? matrixType : DType.F16).bytes(weight.elements());
  }

  /** At powers of four up to the model's whole context. */
  private static List<Cache> caches(ModelConfig config) {
    List<Cache> caches = new ArrayList<>();
    int most = config.contextLength();
    for (long positions = SHORTEST; positions < most; positions *= 4) {
      caches.add(cache(config, (int) positions));
    }
    caches.add(cache(config, most));
    return caches;
  }

  private static Cache cache(ModelConfig config, int positions) {
    return new Cache(
        positions,
        config.kvCacheBytes(positions, DType.F32),
        config.kvCacheBytes(positions, DType.F16));
  }
}
