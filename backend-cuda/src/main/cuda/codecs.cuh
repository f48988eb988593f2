/*
 * Stored formats of weights, one codec each, in the layouts of ggml (ggml-common.h).
 *
 * Plain formats: F32, F16, BF16 read 16 bytes at a time.
 *
 * Quantised formats lie in two planes, so that 16-byte loads are aligned whatever the size of a
 * block: `body` bytes of every block of the matrix, then the `rest` of every block (see repack.cu).
 * A block is read in units, each by one lane: `load` fetches a unit's bytes, `group` extracts one
 * of its groups of GROUP consecutive elements as
 *     value = scale * q - minimum,    q four to a register.
 * `at` and `find` say where in the block a group lies; UNROLL units are on their way to a lane at
 * once in products of few rows.
 */
#pragma once

#include "common.cuh"

/* ---- Plain formats ---- */

struct F32 {
  typedef float Element;
  static constexpr int LOAD = 4; /* elements in 16 bytes */

  DEVICE static float one(float e) { return e; }

  DEVICE static void unpack(float (&out)[LOAD], uint4 v) {
    out[0] = __uint_as_float(v.x);
    out[1] = __uint_as_float(v.y);
    out[2] = __uint_as_float(v.z);
    out[3] = __uint_as_float(v.w);
  }
};

struct F16 {
  typedef half_bits Element;
  static constexpr int LOAD = 8;

  DEVICE static float one(half_bits e) { return half_to_float(e); }

  DEVICE static float2 two(unsigned pair) { return half2_to_float2(pair); }

  DEVICE static unsigned pack(float low, float high) { return pack_half2(low, high); }

  DEVICE static void mma(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    mma_f16(d, a, b0, b1);
  }

  DEVICE static void unpack(float (&out)[LOAD], uint4 v);
};

struct BF16 {
  typedef bfloat_bits Element;
  static constexpr int LOAD = 8;

  DEVICE static float one(bfloat_bits e) { return bfloat_to_float(e); }

  DEVICE static float2 two(unsigned pair) { return bfloat2_to_float2(pair); }

  DEVICE static unsigned pack(float low, float high) { return pack_bfloat2(low, high); }

  DEVICE static void mma(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
    mma_bf16(d, a, b0, b1);
  }

  DEVICE static void unpack(float (&out)[LOAD], uint4 v);
};

template <class T>
DEVICE void unpack_pairs(float (&out)[8], uint4 v) {
  unsigned pairs[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
  for (int i = 0; i < 4; i++) {
    float2 f = T::two(pairs[i]);
    out[2 * i] = f.x;
    out[2 * i + 1] = f.y;
  }
}

DEVICE void F16::unpack(float (&out)[LOAD], uint4 v) { unpack_pairs<F16>(out, v); }

DEVICE void BF16::unpack(float (&out)[LOAD], uint4 v) { unpack_pairs<BF16>(out, v); }

/* ---- Quantised formats ---- */

struct Scaled {
  float scale;
  float minimum;
};

/* Where a block's two parts lie. */
struct Block {
  const unsigned char* body;
  const unsigned char* rest;
};

template <class C>
DEVICE Block block_of(const void* weight, long long total_blocks, long long index) {
  const unsigned char* w = (const unsigned char*)weight;
  return {w + index * C::BODY, w + total_blocks * C::BODY + index * C::REST};
}

DEVICE float half_at(const unsigned char* p) { return half_to_float(*(const half_bits*)p); }

DEVICE uint4 load16(const unsigned char* p) { return *(const uint4*)p; }

DEVICE unsigned word_of(uint4 v, int i) {
  unsigned low = i & 1 ? v.y : v.x;
  unsigned high = i & 1 ? v.w : v.z;
  return i & 2 ? high : low;
}

/* Bits 0 to 3 as the lowest bits of four bytes. */
DEVICE unsigned spread_bits(unsigned bits) { return (bits & 15) * 0x00204081u & 0x01010101u; }

struct Q8_0 {
  static constexpr int BLOCK = 32, BODY = 32, REST = 2, UNITS = 1, GROUPS = 1, GROUP = 32,
                       UNROLL = 2;

  struct Unit {
    uint4 low, high;
    float scale;
  };

  DEVICE static Unit load(Block b, int) {
    return {load16(b.body), load16(b.body + 16), half_at(b.rest)};
  }

  DEVICE static Scaled group(int (&q)[8], const Unit& u, int) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      q[i] = word_of(u.low, i);
      q[i + 4] = word_of(u.high, i);
    }
    return {u.scale, 0};
  }

  DEVICE static int at(int, int) { return 0; }

  DEVICE static void find(int, int& unit, int& group) { unit = group = 0; }
};

/* Elements i and i + 16 share a byte. */
DEVICE void nibbles_of_32(int (&q)[8], uint4 v) {
#pragma unroll
  for (int i = 0; i < 4; i++) {
    unsigned w = word_of(v, i);
    q[i] = w & 0x0f0f0f0f;
    q[i + 4] = w >> 4 & 0x0f0f0f0f;
  }
}

DEVICE void add_fifth_bits(int (&q)[8], unsigned bits) {
#pragma unroll
  for (int i = 0; i < 8; i++) {
    q[i] |= spread_bits(bits >> 4 * i) << 4;
  }
}

struct Q4_0 {
  static constexpr int BLOCK = 32, BODY = 16, REST = 2, UNITS = 1, GROUPS = 1, GROUP = 32,
                       UNROLL = 4;

  struct Unit {
    uint4 q;
    float scale;
  };

  DEVICE static Unit load(Block b, int) { return {load16(b.body), half_at(b.rest)}; }

  DEVICE static Scaled group(int (&q)[8], const Unit& u, int) {
    nibbles_of_32(q, u.q);
    return {u.scale, 8 * u.scale};
  }

  DEVICE static int at(int, int) { return 0; }

  DEVICE static void find(int, int& unit, int& group) { unit = group = 0; }
};

struct Q4_1 {
  static constexpr int BLOCK = 32, BODY = 16, REST = 4, UNITS = 1, GROUPS = 1, GROUP = 32,
                       UNROLL = 4;

  struct Unit {
    uint4 q;
    unsigned scales;
  };

  DEVICE static Unit load(Block b, int) { return {load16(b.body), *(const unsigned*)b.rest}; }

  DEVICE static Scaled group(int (&q)[8], const Unit& u, int) {
    nibbles_of_32(q, u.q);
    float2 scales = half2_to_float2(u.scales);
    return {scales.x, -scales.y};
  }

  DEVICE static int at(int, int) { return 0; }

  DEVICE static void find(int, int& unit, int& group) { unit = group = 0; }
};

struct Q5_0 {
  static constexpr int BLOCK = 32, BODY = 16, REST = 6, UNITS = 1, GROUPS = 1, GROUP = 32,
                       UNROLL = 2;

  struct Unit {
    uint4 q;
    unsigned bits;
    float scale;
  };

  DEVICE static Unit load(Block b, int) {
    const half_bits* rest = (const half_bits*)b.rest;
    return {load16(b.body), rest[1] | (unsigned)rest[2] << 16, half_to_float(rest[0])};
  }

  DEVICE static Scaled group(int (&q)[8], const Unit& u, int) {
    nibbles_of_32(q, u.q);
    add_fifth_bits(q, u.bits);
    return {u.scale, 16 * u.scale};
  }

  DEVICE static int at(int, int) { return 0; }

  DEVICE static void find(int, int& unit, int& group) { unit = group = 0; }
};

struct Q5_1 {
  static constexpr int BLOCK = 32, BODY = 16, REST = 8, UNITS = 1, GROUPS = 1, GROUP = 32,
                       UNROLL = 2;

  struct Unit {
    uint4 q;
    uint2 rest;
  };

  DEVICE static Unit load(Block b, int) { return {load16(b.body), *(const uint2*)b.rest}; }

  DEVICE static Scaled group(int (&q)[8], const Unit& u, int) {
    nibbles_of_32(q, u.q);
    add_fifth_bits(q, u.rest.y);
    float2 scales = half2_to_float2(u.rest.x);
    return {scales.x, -scales.y};
  }

  DEVICE static int at(int, int) { return 0; }

  DEVICE static void find(int, int& unit, int& group) { unit = group = 0; }
};

/* Scale and minimum of one of eight groups: d, dmin, and twelve bytes of 6-bit numbers. */
DEVICE Scaled scale_of_eight(uint4 header, int group) {
  unsigned low = header.y; /* bytes 0..3, 4..7 and 8..11 */
  unsigned middle = header.z;
  unsigned high = header.w;
  int shift = group % 4 * 8;
  unsigned scale = low >> shift & 255;
  unsigned minimum = middle >> shift & 255;
  if (group >= 4) {
    unsigned both = high >> shift & 255;
    scale = (both & 15) | scale >> 6 << 4;
    minimum = both >> 4 | minimum >> 6 << 4;
  }
  float2 d = half2_to_float2(header.x);
  return {d.x * (float)(scale & 63), d.y * (float)(minimum & 63)};
}

/* A unit is 32 bytes whose lower nibbles are one group and whose upper ones are the next. */
struct Q4_K {
  static constexpr int BLOCK = 256, BODY = 144, REST = 0, UNITS = 4, GROUPS = 2, GROUP = 32,
                       UNROLL = 2;

  struct Unit {
    uint4 header, low, high;
    int index;
  };

  DEVICE static Unit load(Block b, int unit) {
    const unsigned char* q = b.body + 16 + 32 * unit;
    return {load16(b.body), load16(q), load16(q + 16), unit};
  }

  DEVICE static Scaled group(int (&q)[8], const Unit& u, int g) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      q[i] = word_of(u.low, i) >> 4 * g & 0x0f0f0f0f;
      q[i + 4] = word_of(u.high, i) >> 4 * g & 0x0f0f0f0f;
    }
    return scale_of_eight(u.header, 2 * u.index + g);
  }

  DEVICE static int at(int unit, int g) { return 64 * unit + 32 * g; }

  DEVICE static void find(int k, int& unit, int& group) {
    unit = k / 64;
    group = k / 32 % 2;
  }
};

/* As Q4_K; bit j of 32 more bytes belongs to group j. */
struct Q5_K {
  static constexpr int BLOCK = 256, BODY = 176, REST = 0, UNITS = 4, GROUPS = 2, GROUP = 32,
                       UNROLL = 1;

  struct Unit {
    uint4 header, low, high, low_bits, high_bits;
    int index;
  };

  DEVICE static Unit load(Block b, int unit) {
    const unsigned char* q = b.body + 48 + 32 * unit;
    return {load16(b.body),      load16(q),           load16(q + 16),
            load16(b.body + 16), load16(b.body + 32), unit};
  }

  DEVICE static Scaled group(int (&q)[8], const Unit& u, int g) {
    int index = 2 * u.index + g;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      q[i] = (word_of(u.low, i) >> 4 * g & 0x0f0f0f0f) |
             (word_of(u.low_bits, i) >> index & 0x01010101) << 4;
      q[i + 4] = (word_of(u.high, i) >> 4 * g & 0x0f0f0f0f) |
                 (word_of(u.high_bits, i) >> index & 0x01010101) << 4;
    }
    return scale_of_eight(u.header, index);
  }

  DEVICE static int at(int unit, int g) { return Q4_K::at(unit, g); }

  DEVICE static void find(int k, int& unit, int& group) { Q4_K::find(k, unit, group); }
};

/* A unit is 16 bytes of 2-bit fields: elements 32 apart share a byte. */
DEVICE int at_of_fields(int unit, int g) { return unit / 2 * 128 + g * 32 + unit % 2 * 16; }

DEVICE void find_of_fields(int k, int& unit, int& group) {
  unit = k / 128 * 2 + k / 16 % 2;
  group = k / 32 % 4;
}

struct Q2_K {
  static constexpr int BLOCK = 256, BODY = 80, REST = 4, UNITS = 4, GROUPS = 4, GROUP = 16,
                       UNROLL = 1;

  struct Unit {
    uint4 scales, q;
    unsigned d;
    int index;
  };

  DEVICE static Unit load(Block b, int unit) {
    return {load16(b.body), load16(b.body + 16 + 16 * unit), *(const unsigned*)b.rest, unit};
  }

  DEVICE static Scaled group(int (&q)[4], const Unit& u, int g) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      q[i] = word_of(u.q, i) >> 2 * g & 0x03030303;
    }
    int index = u.index / 2 * 8 + g * 2 + u.index % 2;
    unsigned s = word_of(u.scales, index / 4) >> index % 4 * 8;
    float2 d = half2_to_float2(u.d);
    return {d.x * (float)(s & 15), d.y * (float)(s >> 4 & 15)};
  }

  DEVICE static int at(int unit, int g) { return at_of_fields(unit, g); }

  DEVICE static void find(int k, int& unit, int& group) { find_of_fields(k, unit, group); }
};

/* The third bit is inverted and worth -4; scales are 6 bits, 32 more than their value. */
struct Q3_K {
  static constexpr int BLOCK = 256, BODY = 96, REST = 14, UNITS = 4, GROUPS = 4, GROUP = 16,
                       UNROLL = 1;

  struct Unit {
    uint4 bits, q;
    const unsigned char* rest;
    int index;
  };

  DEVICE static Unit load(Block b, int unit) {
    return {load16(b.body + 16 * (unit % 2)), load16(b.body + 32 + 16 * unit), b.rest, unit};
  }

  DEVICE static Scaled group(int (&q)[4], const Unit& u, int g) {
    int plane = u.index / 2 * 4 + g;
#pragma unroll
    for (int i = 0; i < 4; i++) {
      q[i] = (word_of(u.q, i) >> 2 * g & 0x03030303) | (word_of(u.bits, i) >> plane & 0x01010101)
                                                           << 2;
    }
    int index = u.index / 2 * 8 + g * 2 + u.index % 2;
    unsigned low = u.rest[index % 8] >> index / 8 * 4 & 15;
    unsigned high = u.rest[8 + index % 4] >> index / 4 * 2 & 3;
    float scale = half_at(u.rest + 12) * (float)((int)(low | high << 4) - 32);
    return {scale, 4 * scale};
  }

  DEVICE static int at(int unit, int g) { return at_of_fields(unit, g); }

  DEVICE static void find(int k, int& unit, int& group) { find_of_fields(k, unit, group); }
};

/* A unit is 32 bytes of lower nibbles, whose halves are elements 64 apart, and their upper bits. */
struct Q6_K {
  static constexpr int BLOCK = 256, BODY = 208, REST = 2, UNITS = 4, GROUPS = 4, GROUP = 16,
                       UNROLL = 1;

  struct Unit {
    uint4 low[2], bits[2];
    uint2 scales; /* of the unit's half of the block */
    float d;
    int index;
  };

  DEVICE static Unit load(Block b, int unit) {
    const unsigned char* low = b.body + 32 * unit;
    const unsigned char* bits = b.body + 128 + unit / 2 * 32;
    uint2 scales = *(const uint2*)(b.body + 192 + unit / 2 * 8);
    return {{load16(low), load16(low + 16)},
            {load16(bits), load16(bits + 16)},
            scales,
            half_at(b.rest),
            unit};
  }

  DEVICE static Scaled group(int (&q)[4], const Unit& u, int g) {
    int quarter = g / 2 * 2 + u.index % 2;
    uint4 low = g % 2 ? u.low[1] : u.low[0];
    uint4 bits = g % 2 ? u.bits[1] : u.bits[0];
#pragma unroll
    for (int i = 0; i < 4; i++) {
      q[i] = (word_of(low, i) >> g / 2 * 4 & 0x0f0f0f0f) |
             (word_of(bits, i) >> 2 * quarter & 0x03030303) << 4;
    }
    int index = quarter * 2 + g % 2; /* of eight signed bytes */
    int s = (signed char)((index < 4 ? u.scales.x : u.scales.y) >> index % 4 * 8);
    float scale = u.d * (float)s;
    return {scale, 32 * scale};
  }

  DEVICE static int at(int unit, int g) {
    return unit / 2 * 128 + (g / 2 * 2 + unit % 2) * 32 + g % 2 * 16;
  }

  DEVICE static void find(int k, int& unit, int& group) {
    unit = k / 128 * 2 + k / 32 % 2;
    group = k / 64 % 2 * 2 + k / 16 % 2;
  }
};

/* One of the four elements in a register; only Q8_0 has negative ones, which need the sign. */
DEVICE float element_of(int q, int i) { return (float)(signed char)(q >> 8 * i); }
