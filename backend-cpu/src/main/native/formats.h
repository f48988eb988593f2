/*
 * The quantised formats: what a chunk of 256 stored weights says, in the order of the weights. Each
 * is scale * u + offset with a small integer u; scale and offset belong to a group of 32 or to half
 * of one. Products and the unpacking of panels both read the formats through this file alone.
 */
#ifndef LLAMA_FORMATS_H
#define LLAMA_FORMATS_H

#include "bytes.h"

#define GROUP 32
#define GROUPS 8
#define CHUNK (GROUP * GROUPS)
#define MAX_CHUNK_BYTES (34 * GROUPS)

/* Bytes of a block of GROUP elements, or of CHUNK elements for the K formats. */
INLINE int block_bytes(enum format f) {
  switch (f) {
    case Q8_0:
      return 34;
    case Q4_0:
      return 18;
    case Q4_1:
      return 20;
    case Q5_0:
      return 22;
    case Q5_1:
      return 24;
    case Q2_K:
      return 84;
    case Q3_K:
      return 110;
    case Q4_K:
      return 144;
    case Q5_K:
      return 176;
    default:
      return 210;
  }
}

INLINE int is_super(enum format f) { return f >= Q2_K; }

INLINE int chunk_bytes(enum format f) {
  return is_super(f) ? block_bytes(f) : GROUPS * block_bytes(f);
}

/* Whether each 16 elements have a scale of their own. */
INLINE int has_halves(enum format f) { return f == Q2_K || f == Q3_K || f == Q6_K; }

/* The integers of VB_GROUPS groups of a chunk, from group g on; those of Q8_0 are signed. */
INLINE vb quants(enum format f, const uint8_t *w, int g) {
  const int bytes = block_bytes(f);
  const uint8_t *b = w + g * bytes; /* of the formats with a block per group */
  vb q;
  switch (f) {
    case Q8_0:
      return vb_groups(b + 2, bytes);
    case Q4_0:
      return vb_nibbles(b + 2, bytes);
    case Q4_1:
      return vb_nibbles(b + 4, bytes);
    case Q5_0:
      return vb_or(vb_nibbles(b + 6, bytes), vb_of_bits(b + 2, bytes, 16));
    case Q5_1:
      return vb_or(vb_nibbles(b + 8, bytes), vb_of_bits(b + 4, bytes, 16));
    case Q2_K:
      return vb_fields(w + 16 + (g >> 2) * 32, (g & 3) * 2, 2, 2, 0);
    case Q3_K:
      q = vb_fields(w + 32 + (g >> 2) * 32, (g & 3) * 2, 2, 2, 0);
      return vb_or(q, vb_fields(w, g, 1, 1, 2));
    case Q4_K:
      return vb_fields(w + 16 + (g >> 1) * 32, (g & 1) * 4, 4, 4, 0);
    case Q5_K:
      q = vb_fields(w + 48 + (g >> 1) * 32, (g & 1) * 4, 4, 4, 0);
      return vb_or(q, vb_fields(w + 16, g, 1, 1, 4));
    default:
      q = vb_field(vb_load(w + (g >> 2) * 64 + (g & 1) * 32), (g & 2) * 2, 4, 0);
      return vb_or(q, vb_fields(w + 128 + (g >> 2) * 32, (g & 3) * 2, 2, 2, 4));
  }
}

#ifdef SPLIT_GROUPS

/* Whether a byte holds element i and element i + 16 of a block. */
INLINE int is_split(enum format f) { return f >= Q4_0 && f <= Q5_1; }

/* The integers of SPLIT_GROUPS groups of a chunk, from group g on. */
INLINE vb_split split_quants(enum format f, const uint8_t *w, int g) {
  const int bytes = block_bytes(f);
  const uint8_t *b = w + g * bytes;
  vb_split q = vb_split_nibbles(b + bytes - 16, bytes);
  if (f == Q5_0 || f == Q5_1) {
    const vb_split high = vb_split_bits(b + bytes - 20, bytes, 16);
    q = (vb_split){vb_or(q.first, high.first), vb_or(q.second, high.second)};
  }
  return q;
}

#endif

/* Factors of a chunk: of its groups, or of its halves of groups. */
struct factors {
  v8 scale[2];
  v8 offset[2]; /* over bias; of the formats whose offset is no multiple of the scale */
};

INLINE int has_offset(enum format f) {
  return f == Q4_1 || f == Q5_1 || f == Q2_K || f == Q4_K || f == Q5_K;
}

/* What to multiply the offset with or, of the other formats, the scale, to have the offset. */
INLINE float bias(enum format f) {
  switch (f) {
    case Q8_0:
      return -SIGNED_BIAS; /* in products */
    case Q4_0:
      return -8;
    case Q5_0:
      return -16;
    case Q3_K:
      return -4;
    case Q6_K:
      return -32;
    case Q2_K:
    case Q4_K:
    case Q5_K:
      return -1;
    default:
      return 1;
  }
}

INLINE v8 v8_half(const uint8_t *p) { return v8_all(float_of_f16(*(const stored16 *)p)); }

#ifndef HAS_V8_TIMES_BYTES
/* The bytes of `first` times the F16 number at p, and those of `second` times the one behind it. */
INLINE void v8_times_bytes(v8 *a, v8 *b, const uint8_t *p, uint64_t first, uint64_t second) {
  *a = v8_mul(v8_half(p), v8_of_unsigned(first));
  *b = v8_mul(v8_half(p + 2), v8_of_unsigned(second));
}
#endif

/* Q4_K and Q5_K: 8 scales and 8 minima of 6 bits in 12 bytes. */
INLINE void packed_scales(const uint8_t *w, struct factors *to) {
  const uint32_t low = 0x0f0f0f0f, high = 0x30303030, six = 0x3f3f3f3f;
  const uint32_t a = *(const stored32 *)(w + 4);
  const uint32_t b = *(const stored32 *)(w + 8);
  const uint32_t c = *(const stored32 *)(w + 12);
  const uint64_t scales = (a & six) | (uint64_t)((c & low) | (a >> 2 & high)) << 32;
  const uint64_t minima = (b & six) | (uint64_t)((c >> 4 & low) | (b >> 2 & high)) << 32;
  v8_times_bytes(&to->scale[0], &to->offset[0], w, scales, minima);
}

#define NIBBLES 0x0f0f0f0f0f0f0f0full

/* Q3_K: 16 scales of 6 bits, the low 4 in bytes 96 to 103, the high 2 in bytes 104 to 107. */
INLINE void scales_of_q3_k(const uint8_t *w, struct factors *to) {
  const uint64_t low = *(const stored64 *)(w + 96), pairs = 0x03030303;
  const uint64_t high = *(const stored32 *)(w + 104);
  const uint64_t first = (high & pairs) | (high >> 2 & pairs) << 32;
  const uint64_t second = (high >> 4 & pairs) | (high >> 6 & pairs) << 32;
  const v8 d = v8_half(w + 108);
  const v8 zero = v8_mul(d, v8_all(-32));
  to->scale[0] = v8_fma(d, v8_of_unsigned((low & NIBBLES) | first << 4), zero);
  to->scale[1] = v8_fma(d, v8_of_unsigned((low >> 4 & NIBBLES) | second << 4), zero);
}

INLINE void scales_of_q2_k(const uint8_t *w, struct factors *to) {
  const v8 d = v8_half(w + 80);
  const v8 least = v8_half(w + 82);
  UNROLL
  for (int i = 0; i < 2; i++) {
    const uint64_t both = *(const stored64 *)(w + 8 * i);
    to->scale[i] = v8_mul(d, v8_of_unsigned(both & NIBBLES));
    to->offset[i] = v8_mul(least, v8_of_unsigned(both >> 4 & NIBBLES));
  }
}

INLINE void factors(enum format f, const uint8_t *w, struct factors *to) {
  switch (f) {
    case Q4_K:
    case Q5_K:
      packed_scales(w, to);
      break;
    case Q2_K:
      scales_of_q2_k(w, to);
      break;
    case Q3_K:
      scales_of_q3_k(w, to);
      break;
    case Q6_K:
      to->scale[0] = v8_mul(v8_half(w + 208), v8_of_signed(*(const stored64 *)(w + 192)));
      to->scale[1] = v8_mul(v8_half(w + 208), v8_of_signed(*(const stored64 *)(w + 200)));
      break;
    default:
      to->scale[0] = v8_of_halves(w, block_bytes(f));
      if (has_offset(f)) {
        to->offset[0] = v8_of_halves(w + 2, block_bytes(f));
      }
      break;
  }
}

/* Copies what is there of a chunk, then zeros. Not inlined: rare, and large when unrolled. */
static __attribute__((noinline, unused)) void fill_up(uint8_t *to, const uint8_t *from,
                                                      int64_t bytes) {
  for (int64_t i = 0; i < MAX_CHUNK_BYTES; i++) {
    to[i] = i < bytes ? from[i] : 0;
  }
}

/* A chunk, whatever its format: weight i is scale[i / 16] * q[i] + offset[i / 16]. */
struct chunk {
  int8_t q[CHUNK];
  float scale[2 * GROUPS];
  float offset[2 * GROUPS];
};

INLINE void read_as(enum format f, const uint8_t *w, struct chunk *to) {
  struct factors by;
  factors(f, w, &by);
  UNROLL
  for (int i = 0; i < 2; i++) {
    const v8 scale = has_halves(f) ? by.scale[i] : v8_twice(by.scale[0], i);
    const v8 own = has_halves(f) ? by.offset[i] : v8_twice(by.offset[0], i);
    const v8 offset = has_offset(f) ? own : scale;
    v8_store(to->scale + 8 * i, scale);
    v8_store(to->offset + 8 * i, v8_mul(offset, v8_all(f == Q8_0 ? 0 : bias(f))));
  }
  UNROLL
  for (int g = 0; g < GROUPS; g += VB_GROUPS) {
    vb_store(to->q + g * GROUP, quants(f, w, g));
  }
}

#define READ_CASE(format)    \
  case format:               \
    read_as(format, w, to); \
    break;

/*
 * Reads a chunk, or `bytes` of one whose other groups are zero. Not inlined: what is done with a
 * chunk does not depend on its format, and need not be compiled for each.
 */
static __attribute__((noinline, unused)) void read_chunk(enum format f, const uint8_t *w,
                                                         int64_t bytes, struct chunk *to) {
  uint8_t last[MAX_CHUNK_BYTES];
  if (bytes < chunk_bytes(f)) {
    fill_up(last, w, bytes);
    w = last;
  }
  switch (f) {
    READ_CASE(Q8_0)
    READ_CASE(Q4_0)
    READ_CASE(Q4_1)
    READ_CASE(Q5_0)
    READ_CASE(Q5_1)
    READ_CASE(Q2_K)
    READ_CASE(Q3_K)
    READ_CASE(Q4_K)
    READ_CASE(Q5_K)
    READ_CASE(Q6_K)
    default:
      break;
  }
}

INLINE int64_t row_bytes(enum format f, int64_t elements) {
  return f <= BF16     ? elements * plain_bytes(f)
         : is_super(f) ? elements / CHUNK * block_bytes(f)
                       : elements / GROUP * block_bytes(f);
}

/*
 * Inputs k to k + count of a row of weights as floats, where k is a multiple of 256; zeros up to the
 * next multiple of 32.
 */
static __attribute__((noinline, unused)) void read_row(enum format f, const uint8_t *w, int64_t k,
                                                       int64_t count, float *to) {
  w += row_bytes(f, k);
  if (f <= BF16) {
    const int64_t size = plain_bytes(f);
    int64_t i = 0;
    for (; i <= count - LANES; i += LANES) {
      vf_store(to + i, f == F32   ? vf_load(w + 4 * i)
                       : f == F16 ? vf_load_f16(w + 2 * i)
                                  : vf_load_bf16(w + 2 * i));
    }
    for (; i < count; i++) {
      to[i] = plain_one(f, w + size * i);
    }
    for (; i % GROUP != 0; i++) {
      to[i] = 0;
    }
    return;
  }
  struct chunk c;
  for (; count > 0; count -= CHUNK, w += chunk_bytes(f), to += CHUNK) {
    const int64_t here = count < CHUNK ? count : CHUNK;
    read_chunk(f, w, row_bytes(f, here), &c);
    for (int64_t i = 0; i < here; i += LANES) {
      vf scale = vf_all(c.scale[i / 16]), offset = vf_all(c.offset[i / 16]);
      vf_store(to + i, vf_fma(vf_of_bytes(c.q + i), scale, offset));
    }
  }
}

#endif
