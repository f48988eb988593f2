package dev.llama.cpu;

/** Formats that store each element by itself. */
final class PlainCodecs {
  static final Codec F32 =
      (segment, offset, count, out, at, scratch) -> {
        if ((offset & 3) == 0) {
          segment.floats.get(offset >> 2, out, at, count);
        } else {
          for (int i = 0; i < count; i++) {
            out[at + i] = segment.bytes.getFloat(offset + 4 * i);
          }
        }
      };

  static final Codec BF16 =
      (segment, offset, count, out, at, scratch) -> {
        short[] stored = halves(segment, offset, count, scratch);
        for (int i = 0; i < count; i++) {
          out[at + i] = Float.intBitsToFloat(stored[i] << 16);
        }
      };

  static final Codec F16 =
      (segment, offset, count, out, at, scratch) -> {
        short[] stored = halves(segment, offset, count, scratch);
        for (int i = 0; i < count; i++) {
          out[at + i] = Float16.toFloat(stored[i]);
        }
      };

  private PlainCodecs() {}

  private static short[] halves(Segment segment, int offset, int count, Scratch scratch) {
    short[] stored = scratch.shorts(count);
    segment.shorts.get(offset >> 1, stored, 0, count);
    return stored;
  }
}
