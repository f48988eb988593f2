package dev.llama.cpu;

import dev.llama.DType;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShape;
import jdk.incubator.vector.VectorSpecies;

/**
 * Decodes the common formats with the Vector API. Stored bytes are first copied to arrays: vectors
 * from arrays have the same methods in all releases of the API, those from buffers do not, and a
 * copy into the first-level cache costs less than it saves.
 */
final class VectorCodecs {
  static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;

  static final int LANES = FLOATS.length();
  static final VectorSpecies<Integer> INTS = VectorSpecies.of(int.class, FLOATS.vectorShape());
  static final VectorSpecies<Short> SHORTS =
      VectorSpecies.of(short.class, VectorShape.forBitSize(FLOATS.vectorBitSize() / 2));

  /** As many bytes as there are floats in a vector, or the fewest that make a vector. */
  static final VectorSpecies<Byte> BYTES =
      VectorSpecies.of(byte.class, VectorShape.forBitSize(Math.max(64, LANES * 8)));

  /** Vectors of floats that a vector of bytes becomes. */
  static final int PARTS = BYTES.length() / LANES;

  private static final int RAW = 1;

  private VectorCodecs() {}

  /**
   * Returns the codec of a format.
   *
   * @return one that needs no Vector API for formats that are less common; null if there is none
   */
  static Codec of(DType type) {
    switch (type) {
      case F16:
        return VectorCodecs::f16;
      case BF16:
        return VectorCodecs::bf16;
      case Q8_0:
        return raw(type, VectorCodecs::q8);
      case Q4_0:
        return raw(type, VectorCodecs::q4);
      case Q4_K:
        return raw(type, VectorCodecs::q4k);
      case Q6_K:
        return raw(type, VectorCodecs::q6k);
      default:
        return Codec.of(type);
    }
  }

  /** Decodes whole blocks from an array. */
  private interface Blocks {
    void decode(byte[] raw, int count, float[] out, int at);
  }

  private static Codec raw(DType type, Blocks blocks) {
    return (segment, offset, count, out, at, scratch) -> {
      int length = count / type.blockElements() * type.blockBytes();
      // Vectors may be read beyond the last block.
      byte[] raw = scratch.bytes(RAW, length + 64);
      segment.bytes.get(offset, raw, 0, length);
      blocks.decode(raw, count, out, at);
    };
  }

  private static void bf16(
      Segment segment, int offset, int count, float[] out, int at, Scratch scratch) {
    short[] raw = scratch.shorts(count);
    segment.shorts.get(offset >> 1, raw, 0, count);
    int i = 0;
    for (; i <= count - LANES; i += LANES) {
      IntVector bits = (IntVector) shorts(raw, i).convertShape(VectorOperators.S2I, INTS, 0);
      bits.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats().intoArray(out, at + i);
    }
    for (; i < count; i++) {
      out[at + i] = Float.intBitsToFloat(raw[i] << 16);
    }
  }

  /** Numbers of all exponents: subnormal ones lose their implicit bit again, infinity is kept. */
  private static void f16(
      Segment segment, int offset, int count, float[] out, int at, Scratch scratch) {
    short[] raw = scratch.shorts(count);
    segment.shorts.get(offset >> 1, raw, 0, count);
    int i = 0;
    for (; i <= count - LANES; i += LANES) {
      IntVector half = (IntVector) shorts(raw, i).convertShape(VectorOperators.S2I, INTS, 0);
      IntVector magnitude = half.lanewise(VectorOperators.AND, 0x7fff);
      IntVector bits = magnitude.lanewise(VectorOperators.LSHL, 13).add(112 << 23);
      bits = bits.add(112 << 23, magnitude.compare(VectorOperators.GE, 0x7c00)); // infinity or NaN
      var subnormal = magnitude.compare(VectorOperators.LT, 0x400);
      FloatVector value =
          bits.add(1 << 23, subnormal).reinterpretAsFloats().sub(0x1p-14f, subnormal.cast(FLOATS));
      IntVector sign =
          half.lanewise(VectorOperators.AND, 0x8000).lanewise(VectorOperators.LSHL, 16);
      value.reinterpretAsInts().or(sign).reinterpretAsFloats().intoArray(out, at + i);
    }
    for (; i < count; i++) {
      out[at + i] = Float16.toFloat(raw[i]);
    }
  }

  private static ShortVector shorts(short[] raw, int at) {
    return ShortVector.fromArray(SHORTS, raw, at);
  }

  /** d (F16), 32 signed bytes. */
  private static void q8(byte[] raw, int count, float[] out, int at) {
    int in = 0;
    for (int i = at; i < at + count; i += 32, in += 34) {
      FloatVector d = FloatVector.broadcast(FLOATS, BlockCodecs.half(raw, in));
      for (int j = 0; j < 32; j += BYTES.length()) {
        put(ByteVector.fromArray(BYTES, raw, in + 2 + j), d, out, i + j);
      }
    }
  }

  /** d (F16), 16 bytes; value d (q - 8). */
  private static void q4(byte[] raw, int count, float[] out, int at) {
    int in = 0;
    for (int i = at; i < at + count; i += 32, in += 18) {
      FloatVector d = FloatVector.broadcast(FLOATS, BlockCodecs.half(raw, in));
      for (int j = 0; j < 16; j += BYTES.length()) {
        ByteVector q = ByteVector.fromArray(BYTES, raw, in + 2 + j);
        put(q.and((byte) 15).sub((byte) 8), d, out, i + j);
        put(high(q).sub((byte) 8), d, out, i + 16 + j);
      }
    }
  }

  /** d, dmin, 12 bytes of scales and minima, 128 bytes; value d scale q - dmin min. */
  private static void q4k(byte[] raw, int count, float[] out, int at) {
    int in = 0;
    for (int i = at; i < at + count; i += 256, in += 144) {
      float d = BlockCodecs.half(raw, in);
      float dmin = BlockCodecs.half(raw, in + 2);
      for (int pair = 0; pair < 4; pair++) {
        int group = 2 * pair;
        FloatVector scale0 = scale(d * SuperBlockCodecs.scale(raw, in + 4, group));
        FloatVector scale1 = scale(d * SuperBlockCodecs.scale(raw, in + 4, group + 1));
        FloatVector min0 = scale(-dmin * SuperBlockCodecs.minimum(raw, in + 4, group));
        FloatVector min1 = scale(-dmin * SuperBlockCodecs.minimum(raw, in + 4, group + 1));
        for (int j = 0; j < 32; j += BYTES.length()) {
          ByteVector q = ByteVector.fromArray(BYTES, raw, in + 16 + pair * 32 + j);
          int to = i + pair * 64 + j;
          put(q.and((byte) 15), scale0, min0, out, to);
          put(high(q), scale1, min1, out, to + 32);
        }
      }
    }
  }

  /** 128 bytes of 4 low bits, 64 of 2 high bits, 16 scales, d; value d scale (q - 32). */
  private static void q6k(byte[] raw, int count, float[] out, int at) {
    int in = 0;
    for (int i = at; i < at + count; i += 256, in += 210) {
      float d = BlockCodecs.half(raw, in + 208);
      for (int group = 0; group < 16; group++) {
        FloatVector scale = scale(d * raw[in + 192 + group]);
        int inHalf = group & 7; // which 16 of the 128 elements
        int low = in + (group >> 3) * 64 + (inHalf & 3) * 16;
        int high = in + 128 + (group >> 3) * 32 + (inHalf & 1) * 16;
        int shift = inHalf & 6;
        for (int j = 0; j < 16; j += BYTES.length()) {
          ByteVector l = ByteVector.fromArray(BYTES, raw, low + j);
          ByteVector h = ByteVector.fromArray(BYTES, raw, high + j);
          l = inHalf < 4 ? l.and((byte) 15) : high(l);
          h = h.lanewise(VectorOperators.LSHR, shift).and((byte) 3);
          ByteVector q = l.or(h.lanewise(VectorOperators.LSHL, 4)).sub((byte) 32);
          put(q, scale, out, i + group * 16 + j);
        }
      }
    }
  }

  private static FloatVector scale(float value) {
    return FloatVector.broadcast(FLOATS, value);
  }

  private static ByteVector high(ByteVector q) {
    return q.lanewise(VectorOperators.LSHR, 4).and((byte) 15);
  }

  private static void put(ByteVector q, FloatVector scale, float[] out, int at) {
    for (int part = 0; part < PARTS; part++) {
      floats(q, part).mul(scale).intoArray(out, at + part * LANES);
    }
  }

  private static void put(
      ByteVector q, FloatVector scale, FloatVector minimum, float[] out, int at) {
    for (int part = 0; part < PARTS; part++) {
      floats(q, part).fma(scale, minimum).intoArray(out, at + part * LANES);
    }
  }

  private static FloatVector floats(ByteVector q, int part) {
    return (FloatVector) q.convertShape(VectorOperators.B2F, FLOATS, part);
  }
}
