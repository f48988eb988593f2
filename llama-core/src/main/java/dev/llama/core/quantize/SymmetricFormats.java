package dev.llama.core.quantize;

import static dev.llama.core.quantize.PlainFormats.getShort;
import static dev.llama.core.quantize.PlainFormats.putShort;

import dev.llama.DType;

/**
 * Formats with blocks of 256 elements and a small signed integer scale for every 16 of them: value
 * {@code d scale q}, q of either sign.
 */
final class SymmetricFormats {
  private static final int SIZE = 256;
  private static final int GROUP = 16;
  private static final int GROUPS = SIZE / GROUP;

  /** 32 bytes of third bits, 64 bytes of 2 bits, 16 scales of 6 bits, d. */
  static final Format Q3_K = new ThreeBits();

  /** 128 bytes of 4 low bits, 64 bytes of 2 high bits, 16 signed bytes of scales, d. */
  static final Format Q6_K = new SixBits();

  private SymmetricFormats() {}

  /** What the formats have in common. */
  private abstract static class Base implements Format {
    private final DType type;
    private final int zero; // q goes from -zero to zero - 1
    private final int lowest; // scales go from -lowest to lowest - 1

    Base(DType type, int zero, int lowest) {
      this.type = type;
      this.zero = zero;
      this.lowest = lowest;
    }

    /** Writes a block. */
    abstract void pack(Block block, byte[] out, int at);

    /** Reads a block. */
    abstract void unpack(byte[] stored, int at, Block block);

    @Override
    public void encode(float[] x, int from, int count, byte[] out, int at) {
      Block block = new Block();
      Fit fit = new Fit();
      for (int b = 0; b < count / SIZE; b++) {
        quantize(x, from + b * SIZE, block, fit);
        pack(block, out, at + b * type.blockBytes());
      }
    }

    /** The largest scale becomes the lowest integer, of which there is one more. */
    private void quantize(float[] x, int from, Block block, Fit fit) {
      float[] scales = new float[GROUPS];
      float extreme = 0;
      for (int g = 0; g < GROUPS; g++) {
        fit.at(x, from + g * GROUP, GROUP);
        fit.symmetric(zero);
        scales[g] = fit.scale;
        extreme = Math.abs(fit.scale) > Math.abs(extreme) ? fit.scale : extreme;
      }
      block.scale = Half.unit(extreme / -lowest);
      float d = Half.toFloat(block.scale);
      for (int g = 0; g < GROUPS; g++) {
        fit.at(x, from + g * GROUP, GROUP);
        block.scales[g] = d == 0 ? 0 : choose(Math.round(scales[g] / d), d, fit);
        fit.round(d * block.scales[g], 0, -zero, zero - 1, block.quants, g * GROUP);
      }
    }

    /** Chooses the integer, of those next to the rounded one, that leaves the least error. */
    private int choose(int scale, float d, Fit fit) {
      double best = Double.POSITIVE_INFINITY;
      int chosen = 0;
      for (int s = Math.max(-lowest, scale - 1); s <= Math.min(lowest - 1, scale + 1); s++) {
        double error = fit.error(d * s, 0, -zero, zero - 1);
        if (error < best) {
          best = error;
          chosen = s;
        }
      }
      return chosen;
    }

    @Override
    public void decode(byte[] stored, int at, int count, float[] out, int from) {
      Block block = new Block();
      for (int b = 0; b < count / SIZE; b++) {
        unpack(stored, at + b * type.blockBytes(), block);
        float d = Half.toFloat(block.scale);
        for (int i = 0; i < SIZE; i++) {
          out[from + b * SIZE + i] = d * block.scales[i / GROUP] * (block.quants[i] - zero);
        }
      }
    }
  }

  /** 256 elements as integers. */
  private static final class Block {
    private short scale; // F16
    private final int[] scales = new int[GROUPS];
    private final byte[] quants = new byte[SIZE]; // q + zero
  }

  private static final class ThreeBits extends Base {
    private static final int LOW = 32;
    private static final int SCALES = 96;

    ThreeBits() {
      super(DType.Q3_K, 4, 32);
    }

    @Override
    void pack(Block block, byte[] out, int at) {
      for (int i = 0; i < 32; i++) {
        int high = 0;
        for (int k = 0; k < 8; k++) {
          high |= block.quants[k * 32 + i] >> 2 << k;
        }
        out[at + i] = (byte) high;
      }
      packTwoBits(block.quants, out, at + LOW);
      for (int g = 0; g < 8; g++) {
        out[at + SCALES + g] = (byte) (stored(block, g) & 15 | (stored(block, g + 8) & 15) << 4);
      }
      for (int g = 0; g < 4; g++) {
        int high = 0;
        for (int k = 0; k < 4; k++) {
          high |= stored(block, g + 4 * k) >> 4 << 2 * k;
        }
        out[at + SCALES + 8 + g] = (byte) high;
      }
      putShort(out, at + 108, block.scale);
    }

    private static int stored(Block block, int group) {
      return block.scales[group] + 32;
    }

    @Override
    void unpack(byte[] stored, int at, Block block) {
      for (int i = 0; i < SIZE; i++) {
        int high = stored[at + i % 32] >> i / 32 & 1;
        block.quants[i] = (byte) (twoBits(stored, at + LOW, i) | high << 2);
      }
      for (int g = 0; g < GROUPS; g++) {
        int low = stored[at + SCALES + g % 8] >> g / 8 * 4 & 15;
        int high = stored[at + SCALES + 8 + g % 4] >> g / 4 * 2 & 3;
        block.scales[g] = (low | high << 4) - 32;
      }
      block.scale = getShort(stored, at + 108);
    }
  }

  /**
   * Each 128 elements share 64 low bytes, the first 64 in the lower halves, and 32 high bytes, 32
   * elements in every two bits.
   */
  private static final class SixBits extends Base {
    private static final int HIGH = 128;
    private static final int SCALES = 192;

    SixBits() {
      super(DType.Q6_K, 32, 128);
    }

    @Override
    void pack(Block block, byte[] out, int at) {
      byte[] high = new byte[SIZE];
      for (int i = 0; i < SIZE; i++) {
        int q = block.quants[i];
        int low = at + i / 128 * 64 + i % 64;
        out[low] = (byte) (i % 128 < 64 ? q & 15 : out[low] | (q & 15) << 4);
        high[i] = (byte) (q >> 4);
      }
      packTwoBits(high, out, at + HIGH);
      for (int g = 0; g < GROUPS; g++) {
        out[at + SCALES + g] = (byte) block.scales[g];
      }
      putShort(out, at + 208, block.scale);
    }

    @Override
    void unpack(byte[] stored, int at, Block block) {
      for (int i = 0; i < SIZE; i++) {
        int low = stored[at + i / 128 * 64 + i % 64] >> i % 128 / 64 * 4 & 15;
        block.quants[i] = (byte) (low | twoBits(stored, at + HIGH, i) << 4);
      }
      for (int g = 0; g < GROUPS; g++) {
        block.scales[g] = stored[at + SCALES + g];
      }
      block.scale = getShort(stored, at + 208);
    }
  }

  /** Packs the lower two bits of 256 numbers: 32 bytes for 128, elements 32 apart in a byte. */
  static void packTwoBits(byte[] q, byte[] out, int at) {
    for (int half = 0; half < 2; half++) {
      for (int i = 0; i < 32; i++) {
        int from = half * 128 + i;
        out[at + half * 32 + i] =
            (byte)
                (q[from] & 3
                    | (q[from + 32] & 3) << 2
                    | (q[from + 64] & 3) << 4
                    | (q[from + 96] & 3) << 6);
      }
    }
  }

  static int twoBits(byte[] stored, int at, int i) {
    return stored[at + i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
  }
}
