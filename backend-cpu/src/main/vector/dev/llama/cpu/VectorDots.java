package dev.llama.cpu;

import static dev.llama.cpu.VectorCodecs.BYTES;
import static dev.llama.cpu.VectorCodecs.FLOATS;
import static dev.llama.cpu.VectorCodecs.INTS;
import static dev.llama.cpu.VectorCodecs.LANES;
import static dev.llama.cpu.VectorCodecs.PARTS;
import static dev.llama.cpu.VectorCodecs.SHORTS;
import static dev.llama.cpu.VectorLoops.LANES_SLOT;

import dev.llama.DType;
import jdk.incubator.vector.ByteVector;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.ShortVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The product of a row of weights, as it is stored, and a vector of floats. Stored bytes are copied
 * to an array first, a whole row at a time; see {@link VectorCodecs}. The loops call no methods on
 * vectors of their own: C2 would not put one that it has compiled by itself into its callers again.
 */
interface VectorDots {
  /** Slot of a thread's scratch bytes. */
  int RAW = 1;

  /**
   * Multiplies.
   *
   * @param weight where the row is stored
   * @param offset of its first byte
   * @param x the vector
   * @param count its length
   * @return the sum of the products
   */
  float dot(Segment weight, int offset, float[] x, int count, Scratch scratch);

  /** Multiplies rows of whole blocks in an array. */
  interface Blocks {
    float dot(byte[] raw, float[] x, int count, float[] lanes);
  }

  /** Returns the product for a format, or null where weights are to be decoded first. */
  static VectorDots of(DType type) {
    switch (type) {
      case BF16:
        return VectorDots::bf16;
      case Q8_0:
        return blocks(type, VectorDots::q8);
      case Q4_0:
        return blocks(type, VectorDots::q4);
      case Q4_K:
        return blocks(type, VectorDots::q4k);
      case Q6_K:
        return blocks(type, VectorDots::q6k);
      default:
        return null;
    }
  }

  private static VectorDots blocks(DType type, Blocks blocks) {
    return (weight, offset, x, count, scratch) -> {
      int length = (int) type.bytes(count);
      byte[] raw = scratch.bytes(RAW, length + 64); // vectors may be read beyond the last block
      weight.bytes.get(offset, raw, 0, length);
      return blocks.dot(raw, x, count, scratch.floats(LANES_SLOT, LANES));
    };
  }

  private static float bf16(Segment weight, int offset, float[] x, int count, Scratch scratch) {
    short[] raw = scratch.shorts(count);
    weight.shorts.get(offset >> 1, raw, 0, count);
    FloatVector s0 = FloatVector.zero(FLOATS);
    FloatVector s1 = s0;
    int i = 0;
    for (; i <= count - 2 * LANES; i += 2 * LANES) {
      IntVector w0 =
          (IntVector)
              ShortVector.fromArray(SHORTS, raw, i).convertShape(VectorOperators.S2I, INTS, 0);
      IntVector w1 =
          (IntVector)
              ShortVector.fromArray(SHORTS, raw, i + LANES)
                  .convertShape(VectorOperators.S2I, INTS, 0);
      s0 =
          w0.lanewise(VectorOperators.LSHL, 16)
              .reinterpretAsFloats()
              .fma(FloatVector.fromArray(FLOATS, x, i), s0);
      s1 =
          w1.lanewise(VectorOperators.LSHL, 16)
              .reinterpretAsFloats()
              .fma(FloatVector.fromArray(FLOATS, x, i + LANES), s1);
    }
    float sum = VectorLoops.total(s0.add(s1), scratch.floats(LANES_SLOT, LANES));
    for (; i < count; i++) {
      sum += Float.intBitsToFloat(raw[i] << 16) * x[i];
    }
    return sum;
  }

  /** d (F16), 32 signed bytes. */
  private static float q8(byte[] raw, float[] x, int count, float[] lanes) {
    FloatVector sum = FloatVector.zero(FLOATS);
    int in = 0;
    for (int i = 0; i < count; i += 32, in += 34) {
      float d = BlockCodecs.half(raw, in);
      FloatVector block = FloatVector.zero(FLOATS);
      for (int j = 0; j < 32; j += BYTES.length()) {
        ByteVector q = ByteVector.fromArray(BYTES, raw, in + 2 + j);
        for (int part = 0; part < PARTS; part++) {
          FloatVector w = (FloatVector) q.convertShape(VectorOperators.B2F, FLOATS, part);
          block = w.fma(FloatVector.fromArray(FLOATS, x, i + j + part * LANES), block);
        }
      }
      sum = block.fma(FloatVector.broadcast(FLOATS, d), sum);
    }
    return VectorLoops.total(sum, lanes);
  }

  /** d (F16), 16 bytes; value d (q - 8). */
  private static float q4(byte[] raw, float[] x, int count, float[] lanes) {
    FloatVector sum = FloatVector.zero(FLOATS);
    int in = 0;
    for (int i = 0; i < count; i += 32, in += 18) {
      float d = BlockCodecs.half(raw, in);
      FloatVector block = FloatVector.zero(FLOATS);
      for (int j = 0; j < 16; j += BYTES.length()) {
        ByteVector q = ByteVector.fromArray(BYTES, raw, in + 2 + j);
        ByteVector low = q.and((byte) 15).sub((byte) 8);
        ByteVector high = q.lanewise(VectorOperators.LSHR, 4).and((byte) 15).sub((byte) 8);
        for (int part = 0; part < PARTS; part++) {
          int at = i + j + part * LANES;
          FloatVector w0 = (FloatVector) low.convertShape(VectorOperators.B2F, FLOATS, part);
          FloatVector w1 = (FloatVector) high.convertShape(VectorOperators.B2F, FLOATS, part);
          block = w0.fma(FloatVector.fromArray(FLOATS, x, at), block);
          block = w1.fma(FloatVector.fromArray(FLOATS, x, at + 16), block);
        }
      }
      sum = block.fma(FloatVector.broadcast(FLOATS, d), sum);
    }
    return VectorLoops.total(sum, lanes);
  }

  /** d, dmin, 12 bytes of scales and minima, 128 bytes; value d scale q - dmin min. */
  private static float q4k(byte[] raw, float[] x, int count, float[] lanes) {
    FloatVector sum0 = FloatVector.zero(FLOATS);
    FloatVector sum1 = sum0;
    int in = 0;
    for (int i = 0; i < count; i += 256, in += 144) {
      float d = BlockCodecs.half(raw, in);
      float dmin = BlockCodecs.half(raw, in + 2);
      for (int pair = 0; pair < 4; pair++) {
        int group = 2 * pair;
        float d0 = d * SuperBlockCodecs.scale(raw, in + 4, group);
        float d1 = d * SuperBlockCodecs.scale(raw, in + 4, group + 1);
        float m0 = -dmin * SuperBlockCodecs.minimum(raw, in + 4, group);
        float m1 = -dmin * SuperBlockCodecs.minimum(raw, in + 4, group + 1);
        FloatVector scale0 = FloatVector.broadcast(FLOATS, d0);
        FloatVector scale1 = FloatVector.broadcast(FLOATS, d1);
        FloatVector min0 = FloatVector.broadcast(FLOATS, m0);
        FloatVector min1 = FloatVector.broadcast(FLOATS, m1);
        for (int j = 0; j < 32; j += BYTES.length()) {
          ByteVector q = ByteVector.fromArray(BYTES, raw, in + 16 + pair * 32 + j);
          ByteVector low = q.and((byte) 15);
          ByteVector high = q.lanewise(VectorOperators.LSHR, 4).and((byte) 15);
          for (int part = 0; part < PARTS; part++) {
            int at = i + pair * 64 + j + part * LANES;
            FloatVector w0 = (FloatVector) low.convertShape(VectorOperators.B2F, FLOATS, part);
            FloatVector w1 = (FloatVector) high.convertShape(VectorOperators.B2F, FLOATS, part);
            sum0 = w0.fma(scale0, min0).fma(FloatVector.fromArray(FLOATS, x, at), sum0);
            sum1 = w1.fma(scale1, min1).fma(FloatVector.fromArray(FLOATS, x, at + 32), sum1);
          }
        }
      }
    }
    return VectorLoops.total(sum0.add(sum1), lanes);
  }

  /** 128 bytes of 4 low bits, 64 of 2 high bits, 16 scales, d; value d scale (q - 32). */
  private static float q6k(byte[] raw, float[] x, int count, float[] lanes) {
    FloatVector sum = FloatVector.zero(FLOATS);
    int in = 0;
    for (int i = 0; i < count; i += 256, in += 210) {
      float d = BlockCodecs.half(raw, in + 208);
      for (int group = 0; group < 16; group++) {
        int inHalf = group & 7; // which 16 of the 128 elements
        int low = in + (group >> 3) * 64 + (inHalf & 3) * 16;
        int high = in + 128 + (group >> 3) * 32 + (inHalf & 1) * 16;
        FloatVector block = FloatVector.zero(FLOATS);
        for (int j = 0; j < 16; j += BYTES.length()) {
          ByteVector l = ByteVector.fromArray(BYTES, raw, low + j);
          ByteVector h = ByteVector.fromArray(BYTES, raw, high + j);
          l = l.lanewise(VectorOperators.LSHR, inHalf & 4).and((byte) 15);
          h = h.lanewise(VectorOperators.LSHR, inHalf & 6).and((byte) 3);
          ByteVector q = l.or(h.lanewise(VectorOperators.LSHL, 4)).sub((byte) 32);
          for (int part = 0; part < PARTS; part++) {
            FloatVector w = (FloatVector) q.convertShape(VectorOperators.B2F, FLOATS, part);
            int at = i + group * 16 + j + part * LANES;
            block = w.fma(FloatVector.fromArray(FLOATS, x, at), block);
          }
        }
        float scale = d * raw[in + 192 + group];
        sum = block.fma(FloatVector.broadcast(FLOATS, scale), sum);
      }
    }
    return VectorLoops.total(sum, lanes);
  }
}
