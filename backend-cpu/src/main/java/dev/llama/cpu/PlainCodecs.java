package dev.llama.cpu;

/** Formats that store each element by itself. */
final class PlainCodecs {
  static final Codec F32 = new F32();
  static final PairCodec BF16 = new Bf16();
  static final PairCodec F16 = new F16();

  private PlainCodecs() {}

  /**
   * A format of 16 bits, which can also be decoded two elements at a time, by loops over 32-bit
   * words that C2 vectorises. The order of the elements is then another; for a product it does not
   * matter if the other factor has the same.
   */
  abstract static class PairCodec implements Codec {
    private static final int PAIRS = CHUNK / 2;

    /** Decodes one word to the bits of two floats, for all words. */
    abstract void bits(int[] words, int[] out);

    /**
     * Decodes CHUNK elements: those with an even index first, then the others.
     *
     * @param segment where they are stored
     * @param offset of the first, a multiple of 4
     * @param out receives them from 0 on
     * @param scratch this thread's
     */
    void decodeSplit(Segment segment, int offset, float[] out, Scratch scratch) {
      int[] words = scratch.ints(PAIRS);
      int[] bits = scratch.moreInts(CHUNK);
      segment.ints.get(offset >> 2, words, 0, PAIRS);
      bits(words, bits);
      Segment exchange = scratch.bits();
      exchange.ints.put(0, bits, 0, CHUNK);
      exchange.floats.get(0, out, 0, CHUNK);
    }

    /** Brings CHUNK elements into the order of {@link #decodeSplit}. */
    static void split(float[] x, float[] out) {
      for (int i = 0; i < PAIRS; i++) {
        out[i] = x[2 * i];
        out[i + PAIRS] = x[2 * i + 1];
      }
    }

    static short[] halves(Segment segment, int offset, int count, Scratch scratch) {
      short[] stored = scratch.shorts(count);
      segment.shorts.get(offset >> 1, stored, 0, count);
      return stored;
    }
  }

  private static final class F32 implements Codec {
    @Override
    public void decode(
        Segment segment, int offset, int count, float[] out, int at, Scratch scratch) {
      if ((offset & 3) == 0) {
        segment.floats.get(offset >> 2, out, at, count);
        return;
      }
      for (int i = 0; i < count; i++) {
        out[at + i] = segment.bytes.getFloat(offset + 4 * i);
      }
    }
  }

  private static final class Bf16 extends PairCodec {
    @Override
    public void decode(
        Segment segment, int offset, int count, float[] out, int at, Scratch scratch) {
      short[] stored = halves(segment, offset, count, scratch);
      for (int i = 0; i < count; i++) {
        out[at + i] = Float.intBitsToFloat(stored[i] << 16);
      }
    }

    @Override
    void bits(int[] words, int[] out) {
      for (int i = 0; i < PairCodec.PAIRS; i++) {
        out[i] = words[i] << 16;
      }
      for (int i = 0; i < PairCodec.PAIRS; i++) {
        out[i + PairCodec.PAIRS] = words[i] & 0xffff0000;
      }
    }
  }

  private static final class F16 extends PairCodec {
    @Override
    public void decode(
        Segment segment, int offset, int count, float[] out, int at, Scratch scratch) {
      short[] stored = halves(segment, offset, count, scratch);
      for (int i = 0; i < count; i++) {
        out[at + i] = Float16.toFloat(stored[i]);
      }
    }

    @Override
    void decodeSplit(Segment segment, int offset, float[] out, Scratch scratch) {
      super.decodeSplit(segment, offset, out, scratch);
      // The exponents are 112 too small, as in Float16.
      for (int i = 0; i < CHUNK; i++) {
        out[i] *= 0x1p112f;
      }
      if (special(scratch.ints(PairCodec.PAIRS)) > 0) {
        float[] ordered = scratch.floats(0, CHUNK);
        decode(segment, offset, CHUNK, ordered, 0, scratch);
        split(ordered, out);
      }
    }

    /** Returns how many of the elements are infinite or NaN. */
    private static int special(int[] words) {
      int count = 0;
      for (int i = 0; i < PairCodec.PAIRS; i++) {
        // All exponent bits set: one more carries.
        count += ((words[i] & 0x7c00) + 0x400 >>> 15) + ((words[i] >>> 16 & 0x7c00) + 0x400 >>> 15);
      }
      return count;
    }

    @Override
    void bits(int[] words, int[] out) {
      for (int i = 0; i < PairCodec.PAIRS; i++) {
        out[i] = (words[i] & 0x7fff) << 13 | (words[i] & 0x8000) << 16;
      }
      for (int i = 0; i < PairCodec.PAIRS; i++) {
        out[i + PairCodec.PAIRS] = words[i] >>> 3 & 0x0fffe000 | words[i] & 0x80000000;
      }
    }
  }
}
