package dev.llama.cpu;

import dev.llama.DType;

/**
 * Formats with one scale d, and perhaps a minimum m, for a block of 32 elements. With 4 and 5 bits,
 * byte j holds element j in its lower and element j + 16 in its upper half; bit j of a following or
 * preceding 32-bit word is the fifth bit of element j.
 */
final class BlockCodecs {
  private static final int BLOCK = 32;

  /** d (F16), 32 signed bytes. */
  static final Codec Q8_0 =
      codec(
          DType.Q8_0,
          (raw, in, out, at) -> {
            float d = half(raw, in);
            for (int j = 0; j < BLOCK; j++) {
              out[at + j] = d * raw[in + 2 + j];
            }
          });

  /** d (F16), 16 bytes; value d (q - 8). */
  static final Codec Q4_0 =
      codec(
          DType.Q4_0,
          (raw, in, out, at) -> {
            float d = half(raw, in);
            for (int j = 0; j < 16; j++) {
              int q = raw[in + 2 + j];
              out[at + j] = d * ((q & 15) - 8);
              out[at + 16 + j] = d * ((q >> 4 & 15) - 8);
            }
          });

  /** d, m (F16), 16 bytes; value d q + m. */
  static final Codec Q4_1 =
      codec(
          DType.Q4_1,
          (raw, in, out, at) -> {
            float d = half(raw, in);
            float m = half(raw, in + 2);
            for (int j = 0; j < 16; j++) {
              int q = raw[in + 4 + j];
              out[at + j] = d * (q & 15) + m;
              out[at + 16 + j] = d * (q >> 4 & 15) + m;
            }
          });

  /** d (F16), fifth bits, 16 bytes; value d (q - 16). */
  static final Codec Q5_0 =
      codec(
          DType.Q5_0,
          (raw, in, out, at) -> {
            float d = half(raw, in);
            int high = word(raw, in + 2);
            for (int j = 0; j < 16; j++) {
              int q = raw[in + 6 + j];
              out[at + j] = d * (((q & 15) | (high >> j & 1) << 4) - 16);
              out[at + 16 + j] = d * (((q >> 4 & 15) | (high >> j + 16 & 1) << 4) - 16);
            }
          });

  /** d, m (F16), fifth bits, 16 bytes; value d q + m. */
  static final Codec Q5_1 =
      codec(
          DType.Q5_1,
          (raw, in, out, at) -> {
            float d = half(raw, in);
            float m = half(raw, in + 2);
            int high = word(raw, in + 4);
            for (int j = 0; j < 16; j++) {
              int q = raw[in + 8 + j];
              out[at + j] = d * ((q & 15) | (high >> j & 1) << 4) + m;
              out[at + 16 + j] = d * ((q >> 4 & 15) | (high >> j + 16 & 1) << 4) + m;
            }
          });

  private BlockCodecs() {}

  /** Decodes one block of a format. */
  interface Block {
    /**
     * Decodes.
     *
     * @param raw stored bytes
     * @param in where the block begins
     * @param out receives the elements
     * @param at from here on
     */
    void decode(byte[] raw, int in, float[] out, int at);
  }

  /** Makes a codec from the decoding of one block. */
  static Codec codec(DType type, Block block) {
    return new BlockCodec(type.blockElements(), type.blockBytes(), block);
  }

  private record BlockCodec(int elements, int bytes, Block block) implements Codec {
    @Override
    public void decode(
        Segment segment, int offset, int count, float[] out, int at, Scratch scratch) {
      int blocks = count / elements;
      byte[] raw = scratch.bytes(0, blocks * bytes);
      segment.bytes.get(offset, raw, 0, blocks * bytes);
      for (int b = 0; b < blocks; b++) {
        block.decode(raw, b * bytes, out, at + b * elements);
      }
    }
  }

  static float half(byte[] raw, int at) {
    return Float16.single((raw[at] & 0xff) | raw[at + 1] << 8);
  }

  private static int word(byte[] raw, int at) {
    return (raw[at] & 0xff)
        | (raw[at + 1] & 0xff) << 8
        | (raw[at + 2] & 0xff) << 16
        | raw[at + 3] << 24;
  }
}
