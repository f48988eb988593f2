/*
 * Products of a few rows of activations with quantised weights. The activations are rounded to int8
 * first, in groups of 32 with a scale each; the products of a group are then exact integers, and
 * their sums are scaled and added in F32. Offsets of weights are multiplied with the sums of the
 * activations of a group.
 */
#include "formats.h"
#include "rounded.h"

/* Weights that stay in the second-level cache while all rows of x pass by. */
#define BLOCK_BYTES (64 << 10)

struct product {
  float *out;
  int64_t out_stride;
  const struct rounded *x;
  int64_t chunks;
  const uint8_t *w;
  int64_t inputs;
  int64_t add;
};

/* One chunk of one row of weights with the same chunk of `rows` rows of x. */
INLINE void chunk(enum format f, int rows, const uint8_t *w, const struct rounded *x,
                  int64_t chunks, vsum (*sums)[2], v8 *offsets) {
  const int halves = has_halves(f) ? 2 : 1;
  struct factors by;
  v8 scaled[4][2];
  factors(f, w, &by);
  UNROLL
  for (int r = 0; r < rows; r++) {
    const struct rounded *a = x + r * chunks;
    const float *scale = halves == 2 ? a->half_scale : a->scale;
    const float *sum = halves == 2 ? a->half_sum : a->sum;
    UNROLL
    for (int i = 0; i < halves; i++) {
      scaled[r][i] = v8_mul(by.scale[i], v8_load(scale + 8 * i));
      if (has_offset(f)) {
        offsets[r] = v8_fma(by.offset[i], v8_load(sum + 8 * i), offsets[r]);
      } else if (bias(f) != 0) {
        offsets[r] = v8_fma(by.scale[i], v8_load(sum + 8 * i), offsets[r]);
      }
    }
  }
#ifdef SPLIT_GROUPS
  if (is_split(f)) {
    UNROLL
    for (int g = 0; g < GROUPS; g += SPLIT_GROUPS) {
      vb_split q = split_quants(f, w, g);
      UNROLL
      for (int r = 0; r < rows; r++) {
        const int8_t *a = x[r * chunks].split + g * GROUP;
        vsum *sum = &sums[r][rows == 1 ? g / SPLIT_GROUPS & 1 : 0];
        *sum = vb_dot_split(*sum, q, vb_load(a), vb_load(a + SPLIT_GROUPS * GROUP / 2),
                            scaled[r][0], g);
      }
    }
    return;
  }
#endif
#ifdef HAS_DOTS_OF_CHUNK
  if (rows == 1 && (f == Q4_K || f == Q5_K)) {
    vi dots[4];
    UNROLL
    for (int g = 0; g < GROUPS; g += VB_GROUPS) {
      dots[g / VB_GROUPS] = vb_products(quants(f, w, g), vb_load(x->x + g * GROUP));
    }
    sums[0][0] = vb_dots_of_chunk(sums[0][0], dots, scaled[0][0]);
    return;
  }
#endif
  UNROLL
  for (int g = 0; g < GROUPS; g += VB_GROUPS) {
    vb q = quants(f, w, g);
    UNROLL
    for (int r = 0; r < rows; r++) {
      vb a = vb_load(x[r * chunks].x + g * GROUP);
      /* Of one row, two sums in turn: an addition takes four cycles. */
      vsum *sum = &sums[r][rows == 1 ? g / VB_GROUPS & 1 : 0];
      *sum = halves == 2 ? vb_dot_halves(*sum, q, a, scaled[r][g >> 2], 2 * g & 7)
             : f == Q8_0 ? vb_dot_signed(*sum, q, a, scaled[r][0], g)
                         : vb_dot(*sum, q, a, scaled[r][0], g);
    }
  }
}

/* One row of weights with `rows` rows of x. */
INLINE void line(enum format f, int rows, const struct product *p, int64_t o, int64_t stride) {
  const uint8_t *w = p->w + o * stride;
  const struct rounded *x = p->x;
  vsum sums[4][2];
  v8 offsets[4];
  UNROLL
  for (int i = 0; i < rows; i++) {
    sums[i][0] = sums[i][1] = vsum_zero();
    offsets[i] = v8_zero();
  }
  uint8_t last[MAX_CHUNK_BYTES];
  for (int64_t k = p->inputs; k > 0; k -= CHUNK) {
    UNROLL
    for (int i = 0; i < chunk_bytes(f); i += 64) {
      __builtin_prefetch(w + FAR + i, 0, 2);
      __builtin_prefetch(w + NEAR + i, 0, 3);
    }
    if (!is_super(f) && k < CHUNK) {
      fill_up(last, w, row_bytes(f, k));
      w = last;
    }
    chunk(f, rows, w, x, p->chunks, sums, offsets);
    w += chunk_bytes(f);
    x++;
  }
  UNROLL
  for (int i = 0; i < rows; i++) {
    float total = vsum_total(vsum_add(sums[i][0], sums[i][1]));
    if (has_offset(f) || bias(f) != 0) {
      total += bias(f) * v8_total(offsets[i]);
    }
    float *out = p->out + i * p->out_stride + o;
    *out = p->add ? *out + total : total;
  }
}

INLINE void product(enum format f, struct product p, int64_t rows, int64_t outputs) {
  const int64_t stride = row_bytes(f, p.inputs);
  const struct product whole = p;
  int64_t block = BLOCK_BYTES / stride;
  block = rows <= 4 ? outputs : block < 8 ? 8 : block;
  for (int64_t from = 0; from < outputs; from += block) {
    int64_t to = from + block < outputs ? from + block : outputs;
    p = whole;
    for (int64_t left = rows, step; left > 0; left -= step) {
      step = left >= 4 ? 4 : left >= 2 ? 2 : 1;
      for (int64_t o = from; o < to; o++) {
        if (step == 4) {
          line(f, 4, &p, o, stride);
        } else if (step == 2) {
          line(f, 2, &p, o, stride);
        } else {
          line(f, 1, &p, o, stride);
        }
      }
      p.x += step * p.chunks;
      p.out += step * p.out_stride;
    }
  }
}

#define CASE(format)                   \
  case format:                         \
    product(format, p, rows, outputs); \
    break;

/*
 * out: F32 [rows, outputs], rows out_stride elements apart; x: [rows, inputs] as `quantize` leaves
 * them; w: [outputs, inputs] without gaps; add: whether to add to what is there.
 */
KERNEL(product_quantized)(enum format type, float *out, int64_t out_stride, const uint8_t *x,
                          int64_t rows, const uint8_t *w, int64_t inputs, int64_t outputs,
                          int64_t add) {
  const int64_t chunks = (inputs + CHUNK - 1) / CHUNK;
  const struct product p = {out, out_stride, (const struct rounded *)x, chunks, w, inputs, add};
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

/* Rounds a group of activations. With one that is not finite, the scale is not a number. */
INLINE void round_group(struct rounded *to, int g, const float *x) {
  vf largest = vf_zero();
  vf total = vf_zero();
  UNROLL
  for (int i = 0; i < GROUP; i += LANES) {
    vf magnitude = vf_abs(vf_load(x + i));
    largest = vf_max(largest, magnitude);
    total = vf_add(total, magnitude);
  }
  float most = vf_largest(largest);
  /* Below this the reciprocal could overflow, and the group is as good as zero. */
  int zero = most < 1e-30f;
  int8_t *bytes = to->x + g * GROUP;
  float factor = zero ? 0 : 127 / most;
  float scale = (zero ? 0 : most / 127) + 0 * vf_sum(total);
  float first = scale * (float)bytes_round16(bytes, x, factor);
  float second = scale * (float)bytes_round16(bytes + 16, x + 16, factor);
  to->scale[g] = to->half_scale[2 * g] = to->half_scale[2 * g + 1] = scale;
  to->half_sum[2 * g] = first;
  to->half_sum[2 * g + 1] = second;
  to->sum[g] = first + second;
#ifdef SPLIT_GROUPS
  int8_t *half = to->split + g / SPLIT_GROUPS * SPLIT_GROUPS * GROUP + g % SPLIT_GROUPS * GROUP / 2;
  for (int i = 0; i < GROUP / 2; i++) {
    half[i] = bytes[i];
    half[SPLIT_GROUPS * GROUP / 2 + i] = bytes[GROUP / 2 + i];
  }
#endif
}

/*
 * Rounds activations. out: rows of ceil(inputs / 256) chunks; x: F32 [rows, inputs], rows x_stride
 * elements apart; inputs is a multiple of 32. What is missing in the last chunk is zero.
 */
KERNEL(quantize)(uint8_t *out, const float *x, int64_t x_stride, int64_t rows, int64_t inputs) {
  static const float nothing[GROUP];
  const int64_t groups = inputs / GROUP;
  struct rounded *to = (struct rounded *)out;
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t first = 0; first < groups; first += GROUPS, to++) {
      for (int g = 0; g < GROUPS; g++) {
        int64_t at = first + g;
        round_group(to, g, at < groups ? x + r * x_stride + at * GROUP : nothing);
      }
    }
  }
}
