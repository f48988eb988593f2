package dev.llama.core.quantize;

import static dev.llama.core.quantize.PlainFormats.getShort;
import static dev.llama.core.quantize.PlainFormats.putShort;

import dev.llama.DType;

/**
 * Formats with blocks of 256 elements and, for groups of 16 or 32 of them, a small integer scale
 * and a small integer minimum: value {@code d scale q - dmin min}.
 */
final class OffsetFormats {
  private static final int SIZE = 256;

  /** 16 bytes with scale and minimum of 4 bits each, 64 bytes of 2 bits, d, dmin. */
  static final Format Q2_K = new TwoBits();

  /** d, dmin, 12 bytes with 8 scales and minima of 6 bits, 128 bytes of 4 bits. */
  static final Format Q4_K = new ManyBits(DType.Q4_K, 15);

  /** The same with 32 bytes of fifth bits before those of 4 bits. */
  static final Format Q5_K = new ManyBits(DType.Q5_K, 31);

  private OffsetFormats() {}

  /** What the formats have in common. */
  private abstract static class Base implements Format {
    private final DType type;
    private final int groups;
    private final int most; // largest q
    private final int mostIndex; // largest integer scale and minimum

    Base(DType type, int groups, int most, int mostIndex) {
      this.type = type;
      this.groups = groups;
      this.most = most;
      this.mostIndex = mostIndex;
    }

    /** Writes a block. */
    abstract void pack(Block block, byte[] out, int at);

    /** Reads a block. */
    abstract void unpack(byte[] stored, int at, Block block);

    @Override
    public void encode(float[] x, int from, int count, byte[] out, int at) {
      Block block = new Block(groups);
      Fit fit = new Fit();
      for (int b = 0; b < count / SIZE; b++) {
        quantize(x, from + b * SIZE, block, fit);
        pack(block, out, at + b * type.blockBytes());
      }
    }

    private void quantize(float[] x, int from, Block block, Fit fit) {
      int size = SIZE / groups;
      float[] scales = new float[groups];
      float[] minima = new float[groups];
      float largestScale = 0;
      float largestMinimum = 0;
      for (int g = 0; g < groups; g++) {
        fit.at(x, from + g * size, size);
        fit.offset(most);
        scales[g] = fit.scale;
        minima[g] = fit.minimum;
        largestScale = Math.max(largestScale, fit.scale);
        largestMinimum = Math.max(largestMinimum, fit.minimum);
      }
      block.scale = Half.unit(largestScale / mostIndex);
      block.minimum = Half.unit(largestMinimum / mostIndex);
      float d = Half.toFloat(block.scale);
      float dmin = Half.toFloat(block.minimum);
      for (int g = 0; g < groups; g++) {
        fit.at(x, from + g * size, size);
        choose(block, g, index(scales[g], d), index(minima[g], dmin), fit);
        fit.round(d * block.scales[g], dmin * block.minima[g], 0, most, block.quants, g * size);
      }
    }

    private int index(float value, float unit) {
      return unit == 0 ? 0 : (int) Math.min(mostIndex, value / unit + 0.5f);
    }

    /** Chooses the integers, of those next to the rounded ones, that leave the least error. */
    private void choose(Block block, int group, int scale, int minimum, Fit fit) {
      float d = Half.toFloat(block.scale);
      float dmin = Half.toFloat(block.minimum);
      double best = Double.POSITIVE_INFINITY;
      for (int s = Math.max(0, scale - 1); s <= Math.min(mostIndex, scale + 1); s++) {
        for (int m = Math.max(0, minimum - 1); m <= Math.min(mostIndex, minimum + 1); m++) {
          double error = fit.error(d * s, dmin * m, 0, most);
          if (error < best) {
            best = error;
            block.scales[group] = s;
            block.minima[group] = m;
          }
        }
      }
    }

    @Override
    public void decode(byte[] stored, int at, int count, float[] out, int from) {
      Block block = new Block(groups);
      int size = SIZE / groups;
      for (int b = 0; b < count / SIZE; b++) {
        unpack(stored, at + b * type.blockBytes(), block);
        float d = Half.toFloat(block.scale);
        float dmin = Half.toFloat(block.minimum);
        for (int i = 0; i < SIZE; i++) {
          float scale = d * block.scales[i / size];
          float minimum = dmin * block.minima[i / size];
          out[from + b * SIZE + i] = scale * block.quants[i] - minimum;
        }
      }
    }
  }

  /** 256 elements as integers. */
  private static final class Block {
    private short scale; // F16
    private short minimum; // F16
    private final int[] scales; // [groups]
    private final int[] minima; // [groups]
    private final byte[] quants = new byte[SIZE];

    private Block(int groups) {
      scales = new int[groups];
      minima = new int[groups];
    }
  }

  private static final class TwoBits extends Base {
    TwoBits() {
      super(DType.Q2_K, 16, 3, 15);
    }

    @Override
    void pack(Block block, byte[] out, int at) {
      for (int g = 0; g < 16; g++) {
        out[at + g] = (byte) (block.scales[g] | block.minima[g] << 4);
      }
      SymmetricFormats.packTwoBits(block.quants, out, at + 16);
      putShort(out, at + 80, block.scale);
      putShort(out, at + 82, block.minimum);
    }

    @Override
    void unpack(byte[] stored, int at, Block block) {
      for (int g = 0; g < 16; g++) {
        block.scales[g] = stored[at + g] & 15;
        block.minima[g] = stored[at + g] >> 4 & 15;
      }
      for (int i = 0; i < SIZE; i++) {
        block.quants[i] = (byte) SymmetricFormats.twoBits(stored, at + 16, i);
      }
      block.scale = getShort(stored, at + 80);
      block.minimum = getShort(stored, at + 82);
    }
  }

  /** Q4_K and Q5_K. Each 64 elements share 32 bytes, the first 32 in the lower halves. */
  private static final class ManyBits extends Base {
    private static final int PACKED = 12;
    private final boolean five;
    private final int nibbles;

    ManyBits(DType type, int most) {
      super(type, 8, most, 63);
      five = most == 31;
      nibbles = 4 + PACKED + (five ? 32 : 0);
    }

    @Override
    void pack(Block block, byte[] out, int at) {
      putShort(out, at, block.scale);
      putShort(out, at + 2, block.minimum);
      for (int g = 0; g < 4; g++) {
        // The lower four whole, with the top bits of the upper four above them.
        int scale = block.scales[g + 4];
        int minimum = block.minima[g + 4];
        out[at + 4 + g] = (byte) (block.scales[g] | scale >> 4 << 6);
        out[at + 8 + g] = (byte) (block.minima[g] | minimum >> 4 << 6);
        out[at + 12 + g] = (byte) (scale & 15 | (minimum & 15) << 4);
      }
      for (int i = 0; i < 32; i++) {
        int high = 0;
        for (int g = 0; g < 8; g++) {
          int q = block.quants[g * 32 + i];
          int at4 = at + nibbles + g / 2 * 32 + i;
          out[at4] = (byte) (g % 2 == 0 ? q & 15 : out[at4] | (q & 15) << 4);
          high |= q >> 4 << g;
        }
        if (five) {
          out[at + 4 + PACKED + i] = (byte) high;
        }
      }
    }

    @Override
    void unpack(byte[] stored, int at, Block block) {
      block.scale = getShort(stored, at);
      block.minimum = getShort(stored, at + 2);
      for (int g = 0; g < 4; g++) {
        int scale = stored[at + 4 + g] & 0xff;
        int minimum = stored[at + 8 + g] & 0xff;
        int both = stored[at + 12 + g] & 0xff;
        block.scales[g] = scale & 63;
        block.minima[g] = minimum & 63;
        block.scales[g + 4] = both & 15 | scale >> 6 << 4;
        block.minima[g + 4] = both >> 4 | minimum >> 6 << 4;
      }
      for (int i = 0; i < SIZE; i++) {
        int g = i / 32;
        int q = stored[at + nibbles + g / 2 * 32 + i % 32] >> g % 2 * 4 & 15;
        if (five) {
          q |= (stored[at + 4 + PACKED + i % 32] >> g & 1) << 4;
        }
        block.quants[i] = (byte) q;
      }
    }
  }
}
