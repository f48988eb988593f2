/*
 * Products of activations with quantised weights. The activations are rounded to int8 first, in
 * groups of 32 with a scale each; the products of a group are then exact integers, and their sums
 * are scaled and added in F32.
 *
 * What a format has to say is its group of 32 small integers, and the factors of their sum:
 * a weight is scale * q + offset, so a group adds scale * d * sum(q x) + offset * d * sum(x).
 */
#include "simd.h"

#define GROUP 32
/* Groups whose scales are unpacked together: a block of the K formats. */
#define GROUPS 8
#define CHUNK (GROUP * GROUPS)
/* A row of rounded activations: bytes, scales, and sums of the groups times their scales. */
#define CHUNK_BYTES (CHUNK + GROUPS * 4 + GROUPS * 4)

#define BLOCK_BYTES (64 << 10)

/* Bytes of a block of GROUP elements, or of CHUNK elements for the K formats. */
INLINE int64_t block_bytes(enum format f) {
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

INLINE int64_t chunk_bytes(enum format f) {
  return is_super(f) ? block_bytes(f) : GROUPS * block_bytes(f);
}

/* Whether a weight may be below the offset. */
INLINE int has_offset(enum format f) { return f != Q8_0 && f != Q3_K && f != Q6_K; }

/* Whether each 16 elements have a scale. */
INLINE int has_halves(enum format f) { return f == Q2_K || f == Q3_K || f == Q6_K; }

INLINE float half_at(const uint8_t *p) { return float_of_f16(*(const stored16 *)p); }

/* The integers of group g of a chunk. */
INLINE bytes32 quants(enum format f, const uint8_t *w, int g) {
  const uint8_t *b = w + g * block_bytes(f); /* of the formats with a block per group */
  bytes32 q;
  switch (f) {
    case Q8_0:
      return bytes_load(b + 2);
    case Q4_0:
      return bytes_nibbles(b + 2);
    case Q4_1:
      return bytes_nibbles(b + 4);
    case Q5_0:
      return bytes_or(bytes_nibbles(b + 6), bytes_of_bits(*(const stored32 *)(b + 2), 16));
    case Q5_1:
      return bytes_or(bytes_nibbles(b + 8), bytes_of_bits(*(const stored32 *)(b + 4), 16));
    case Q2_K:
      q = bytes_load(w + 16 + (g >> 2) * 32);
      return bytes_and(bytes_right(q, (g & 3) * 2), bytes_all(3));
    case Q3_K:
      q = bytes_load(w + 32 + (g >> 2) * 32);
      q = bytes_and(bytes_right(q, (g & 3) * 2), bytes_all(3));
      bytes32 third = bytes_and(bytes_right(bytes_load(w), g), bytes_all(1));
      return bytes_sub(bytes_or(q, bytes_left(third, 2)), bytes_all(4));
    case Q4_K:
      q = bytes_load(w + 16 + (g >> 1) * 32);
      return bytes_and(bytes_right(q, (g & 1) * 4), bytes_all(15));
    case Q5_K:
      q = bytes_load(w + 48 + (g >> 1) * 32);
      q = bytes_and(bytes_right(q, (g & 1) * 4), bytes_all(15));
      bytes32 fifth = bytes_and(bytes_right(bytes_load(w + 16), g), bytes_all(1));
      return bytes_or(q, bytes_left(fifth, 4));
    default:
      q = bytes_load(w + (g >> 2) * 64 + (g & 1) * 32);
      q = bytes_and(bytes_right(q, (g & 2) * 2), bytes_all(15));
      bytes32 high = bytes_load(w + 128 + (g >> 2) * 32);
      high = bytes_and(bytes_right(high, (g & 3) * 2), bytes_all(3));
      return bytes_sub(bytes_or(q, bytes_left(high, 4)), bytes_all(32));
  }
}

/* The scales of the halves of group g. */
INLINE scales2 half_scales(enum format f, const uint8_t *w, int g) {
  if (f == Q2_K) {
    return scales_pair(w[2 * g] & 15, w[2 * g + 1] & 15);
  }
  if (f == Q3_K) {
    /* 16 scales of 6 bits: low 4 in bytes 0-7, high 2 in bytes 8-11. */
    int scale[2];
    UNROLL
    for (int i = 0; i < 2; i++) {
      int j = 2 * g + i;
      int low = j < 8 ? w[96 + j] & 15 : w[96 + j - 8] >> 4;
      scale[i] = (low | (w[104 + (j & 3)] >> (2 * (j >> 2)) & 3) << 4) - 32;
    }
    return scales_pair(scale[0], scale[1]);
  }
  return scales_pair((int8_t)w[192 + 2 * g], (int8_t)w[193 + 2 * g]);
}

/* Q4_K and Q5_K: 8 scales and 8 minima of 6 bits in 12 bytes. */
INLINE void packed_scales(const uint8_t *w, float *scale, float *offset) {
  const float d = half_at(w);
  const float least = -half_at(w + 2);
  const uint32_t a = *(const stored32 *)(w + 4);
  const uint32_t b = *(const stored32 *)(w + 8);
  const uint32_t c = *(const stored32 *)(w + 12);
  union {
    uint32_t words[4];
    uint8_t bytes[16];
  } u = {{a & 0x3f3f3f3f, (c & 0x0f0f0f0f) | (a >> 2 & 0x30303030), b & 0x3f3f3f3f,
          (c >> 4 & 0x0f0f0f0f) | (b >> 2 & 0x30303030)}};
  for (int g = 0; g < GROUPS; g++) {
    scale[g] = d * u.bytes[g];
    offset[g] = least * u.bytes[8 + g];
  }
}

/* Factors of the first `count` groups of a chunk; zero for the others. */
INLINE void factors(enum format f, const uint8_t *w, int count, float *scale, float *offset) {
  if (f == Q4_K || f == Q5_K) {
    packed_scales(w, scale, offset);
    return;
  }
  const float d = f == Q2_K ? half_at(w + 80) : f == Q3_K ? half_at(w + 108)
                            : f == Q6_K           ? half_at(w + 208)
                                                  : 0;
  UNROLL
  for (int g = 0; g < GROUPS; g++) {
    if (is_super(f)) {
      scale[g] = d;
      continue;
    }
    const uint8_t *b = w + g * block_bytes(f);
    scale[g] = g < count ? half_at(b) : 0;
    offset[g] = g >= count                   ? 0
                : f == Q4_0                  ? -8 * scale[g]
                : f == Q5_0                  ? -16 * scale[g]
                : f == Q4_1 || f == Q5_1 ? half_at(b + 2)
                                             : 0;
  }
}

INLINE vf dot(enum format f, bytes32 q, bytes32 x, scales2 s) {
  if (has_halves(f)) {
    return bytes_dot_scaled(q, x, s);
  }
  return f == Q8_0 ? bytes_dot_signed(q, x) : bytes_dot_unsigned(q, x);
}

struct product {
  float *out;
  int64_t out_stride;
  const uint8_t *x;
  int64_t x_bytes;
  const uint8_t *w;
  int64_t inputs;
  int64_t add;
};

/* One chunk of one row of weights with the same chunk of `rows` rows of x. */
INLINE void chunk(enum format f, int rows, int count, const uint8_t *w, const uint8_t *x,
                  int64_t x_bytes, vf *sums, vf *offsets) {
  float scale[GROUPS];
  float offset[GROUPS];
  float scaled[8][GROUPS];
  factors(f, w, count, scale, offset);
  UNROLL
  for (int r = 0; r < rows; r++) {
    const uint8_t *d = x + r * x_bytes + CHUNK;
    UNROLL
    for (int i = 0; i < GROUPS; i += LANES) {
      vf_store(scaled[r] + i, vf_mul(vf_load(scale + i), vf_load(d + 4 * i)));
      if (has_offset(f) && f != Q2_K) {
        offsets[r] = vf_fma(vf_load(offset + i), vf_load(d + 4 * (GROUPS + i)), offsets[r]);
      }
    }
  }
  UNROLL
  for (int g = 0; g < GROUPS; g++) {
    if (g >= count) {
      break;
    }
    bytes32 q = quants(f, w, g);
    scales2 s = has_halves(f) ? half_scales(f, w, g) : scales_pair(1, 1);
    UNROLL
    for (int r = 0; r < rows; r++) {
      bytes32 a = bytes_load(x + r * x_bytes + g * GROUP);
      sums[r] = vf_fma(dot(f, q, a, s), vf_all(scaled[r][g]), sums[r]);
    }
    if (f == Q2_K) {
      /* Minima of 16 elements: what they take away are sums of activations times 4 bits. */
      const scales2 minima = scales_pair(w[2 * g] >> 4, w[2 * g + 1] >> 4);
      UNROLL
      for (int r = 0; r < rows; r++) {
        const uint8_t *d = x + r * x_bytes + CHUNK + 4 * g;
        bytes32 a = bytes_load(x + r * x_bytes + g * GROUP);
        vf least = bytes_dot_scaled(bytes_all(1), a, minima);
        float factor = -half_at(w + 82) * *(const stored_float *)d;
        offsets[r] = vf_fma(least, vf_all(factor), offsets[r]);
      }
    }
  }
}

/* One row of weights with `rows` rows of x. */
INLINE void line(enum format f, int rows, const struct product *p, int64_t o, int64_t r,
                 int64_t row_bytes) {
  const uint8_t *w = p->w + o * row_bytes;
  const uint8_t *x = p->x + r * p->x_bytes;
  vf sums[8];
  vf offsets[8];
  UNROLL
  for (int i = 0; i < rows; i++) {
    sums[i] = vf_zero();
    offsets[i] = vf_zero();
  }
  int64_t k = p->inputs;
  for (; k >= CHUNK; k -= CHUNK) {
    chunk(f, rows, GROUPS, w, x, p->x_bytes, sums, offsets);
    w += chunk_bytes(f);
    x += CHUNK_BYTES;
  }
  if (k > 0) {
    chunk(f, rows, (int)(k / GROUP), w, x, p->x_bytes, sums, offsets);
  }
  UNROLL
  for (int i = 0; i < rows; i++) {
    float total = vf_sum(has_offset(f) ? vf_add(sums[i], offsets[i]) : sums[i]);
    float *out = p->out + (r + i) * p->out_stride + o;
    *out = p->add ? *out + total : total;
  }
}

INLINE void product(enum format f, const struct product *p, int64_t rows, int64_t outputs) {
  const int64_t row_bytes = p->inputs / GROUP * block_bytes(f) / (is_super(f) ? GROUPS : 1);
  int64_t block = BLOCK_BYTES / row_bytes;
  block = block < 8 ? 8 : block;
  for (int64_t from = 0; from < outputs; from += block) {
    int64_t to = from + block < outputs ? from + block : outputs;
    int64_t r = 0;
    for (; r <= rows - 4; r += 4) {
      for (int64_t o = from; o < to; o++) {
        line(f, 4, p, o, r, row_bytes);
      }
    }
    for (; r <= rows - 2; r += 2) {
      for (int64_t o = from; o < to; o++) {
        line(f, 2, p, o, r, row_bytes);
      }
    }
    for (; r < rows; r++) {
      for (int64_t o = from; o < to; o++) {
        line(f, 1, p, o, r, row_bytes);
      }
    }
  }
}

/*
 * out: F32 [rows, outputs], rows out_stride elements apart; x: [rows, inputs] as `quantize` leaves
 * them; w: [outputs, inputs] without gaps; add: whether to add to what is there.
 */
#define CASE(format)                    \
  case format:                          \
    product(format, &p, rows, outputs); \
    break;

KERNEL(product_quantized)(enum format type, float *out, int64_t out_stride, const uint8_t *x,
                          int64_t rows, const uint8_t *w, int64_t inputs, int64_t outputs,
                          int64_t add) {
  const int64_t x_bytes = (inputs + CHUNK - 1) / CHUNK * CHUNK_BYTES;
  const struct product p = {out, out_stride, x, x_bytes, w, inputs, add};
  switch (type) {
    CASE(Q8_0)
    CASE(Q4_0)
    CASE(Q4_1)
    CASE(Q5_0)
    CASE(Q5_1)
    CASE(Q2_K)
    CASE(Q3_K)
    CASE(Q4_K)
    CASE(Q5_K)
    CASE(Q6_K)
    default:
      break;
  }
}

/*
 * Rounds activations. out: rows of ceil(inputs / 256) chunks, each 256 bytes, 8 scales, and 8 sums
 * times their scales; x: F32 [rows, inputs], rows x_stride elements apart; inputs is a multiple of
 * 32. A group with an element that is not finite has a scale that is not a number.
 */
KERNEL(quantize)(uint8_t *out, const float *x, int64_t x_stride, int64_t rows, int64_t inputs) {
  const int64_t groups = inputs / GROUP;
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t first = 0; first < groups; first += GROUPS) {
      float *scales = (float *)(out + CHUNK);
      float *sums = scales + GROUPS;
      for (int g = 0; g < GROUPS; g++) {
        scales[g] = 0;
        sums[g] = 0;
        if (first + g >= groups) {
          continue;
        }
        const float *from = x + r * x_stride + (first + g) * GROUP;
        vf largest = vf_zero();
        vf total = vf_zero();
        UNROLL
        for (int i = 0; i < GROUP; i += LANES) {
          vf magnitude = vf_abs(vf_load(from + i));
          largest = vf_max(largest, magnitude);
          total = vf_add(total, magnitude);
        }
        float most = vf_largest(largest);
        /* Below this the reciprocal could overflow, and the group is as good as zero. */
        int zero = most < 1e-30f;
        int sum = bytes_round((int8_t *)out + g * GROUP, from, zero ? 0 : 127 / most);
        scales[g] = zero ? 0 : most / 127;
        scales[g] += 0 * vf_sum(total);
        sums[g] = scales[g] * (float)sum;
      }
      out += CHUNK_BYTES;
    }
  }
}
