package dev.llama.cuda;

import dev.llama.DType;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;

/**
 * How the kernels keep and call a type of weights. Plain types stay as they are stored. Quantised
 * blocks are taken apart: of each the body, which can be read 16 bytes at a time, then the rest of
 * each; the size stays the same (see {@code repack.cu}).
 *
 * @param type of the weights
 * @param bodyOffset where the body begins in a stored block
 * @param bodyBytes size of the body
 */
record Format(DType type, int bodyOffset, int bodyBytes) {
  private static final Map<DType, Format> ALL = all();

  private static Map<DType, Format> all() {
    Map<DType, Format> all = new EnumMap<>(DType.class);
    Format[] formats = {
      new Format(DType.F32, 0, 4),
      new Format(DType.F16, 0, 2),
      new Format(DType.BF16, 0, 2),
      new Format(DType.Q8_0, 2, 32),
      new Format(DType.Q4_0, 2, 16),
      new Format(DType.Q4_1, 4, 16),
      new Format(DType.Q5_0, 6, 16),
      new Format(DType.Q5_1, 8, 16),
      new Format(DType.Q2_K, 0, 80),
      new Format(DType.Q3_K, 0, 96),
      new Format(DType.Q4_K, 0, 144),
      new Format(DType.Q5_K, 0, 176),
      new Format(DType.Q6_K, 0, 208)
    };
    for (Format format : formats) {
      all.put(format.type, format);
    }
    return Map.copyOf(all);
  }

  /** Returns the format of a type; null if there are no kernels for it. */
  static Format of(DType type) {
    return ALL.get(type);
  }

  /** Whether blocks are taken apart. */
  boolean isRepacked() {
    return bodyBytes != type.blockBytes();
  }

  /** Returns the type as kernels' names have it. */
  String suffix() {
    return type.name().toLowerCase(Locale.ROOT);
  }
}
