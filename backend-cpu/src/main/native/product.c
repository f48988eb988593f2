/*
 * Products of activations with weights that store each element by itself:
 * out[r][o] (=|+=) x[r] . w[o]. Rows of weights are read as they are stored. One row of x passes by
 * the weights at the speed of memory; four rows are multiplied with a tile of rows of weights at a
 * time, so that what is loaded and converted is used several times.
 */
#include "simd.h"

/* Weights that stay in the second-level cache while all rows of x pass by. */
#define BLOCK_BYTES (128 << 10)
/* Elements of four rows of x that stay in the first-level cache while a block of weights does. */
#define BLOCK_INPUTS 1024

#define ROWS 4
/* Sums, a weight and the activations of a tile share the registers: 32, or 16 with AVX2. */
#if defined(__AVX512F__) || defined(__ARM_NEON)
#define OUTPUTS 6
#else
#define OUTPUTS 3
#endif

struct product {
  float *out;
  int64_t out_stride;
  const float *x;
  int64_t x_stride;
  const uint8_t *w;
  int64_t w_stride;
  int64_t inputs;
  int64_t add;
};

INLINE void deliver(const struct product *p, int64_t r, int64_t o, float sum) {
  float *out = p->out + r * p->out_stride + o;
  *out = p->add ? *out + sum : sum;
}

/* Elements from k on, one by one. */
static __attribute__((noinline)) float rest(enum format type, const float *x, const uint8_t *w,
                                            int64_t k, int64_t inputs) {
  float sum = 0;
  for (; k < inputs; k++) {
    sum += x[k] * plain_one(type, w + k * plain_bytes(type));
  }
  return sum;
}

/* One row of x with one row of weights. */
INLINE void line(enum format type, const struct product *p, int64_t r, int64_t o) {
  const int64_t size = plain_bytes(type);
  const uint8_t *w = p->w + o * p->w_stride;
  const float *x = p->x + r * p->x_stride;
  vf sums[4] = {vf_zero(), vf_zero(), vf_zero(), vf_zero()};
  int64_t k = 0;
  for (; k <= p->inputs - 4 * LANES; k += 4 * LANES) {
    UNROLL
    for (int i = 0; i < 4 * LANES * size; i += 64) {
      __builtin_prefetch(w + k * size + FAR + i, 0, 2);
      __builtin_prefetch(w + k * size + NEAR + i, 0, 3);
    }
    UNROLL
    for (int i = 0; i < 4; i++) {
      vf b = plain_load(type, w + (k + i * LANES) * size);
      sums[i] = vf_fma(vf_load(x + k + i * LANES), b, sums[i]);
    }
  }
  for (; k <= p->inputs - LANES; k += LANES) {
    sums[0] = vf_fma(vf_load(x + k), plain_load(type, w + k * size), sums[0]);
  }
  float sum = vf_sum(vf_add(vf_add(sums[0], sums[1]), vf_add(sums[2], sums[3])));
  deliver(p, r, o, k < p->inputs ? sum + rest(type, x, w, k, p->inputs) : sum);
}

/*
 * ROWS rows of x with up to OUTPUTS rows of weights. Sums are added in the same order for any number
 * of outputs, so that results do not depend on how threads share them.
 */
INLINE void tile(enum format type, int outputs, const struct product *p, int64_t r, int64_t o) {
  const int64_t size = plain_bytes(type);
  const int64_t inputs = p->inputs, x_stride = p->x_stride, w_stride = p->w_stride;
  const uint8_t *w = p->w + o * w_stride;
  const float *x = p->x + r * x_stride;
  vf sums[OUTPUTS][ROWS];
  UNROLL
  for (int j = 0; j < outputs; j++) {
    UNROLL
    for (int i = 0; i < ROWS; i++) {
      sums[j][i] = vf_zero();
    }
  }
  int64_t k = 0;
  for (; k <= inputs - LANES; k += LANES) {
    vf a[ROWS];
    UNROLL
    for (int i = 0; i < ROWS; i++) {
      a[i] = vf_load(x + i * x_stride + k);
    }
    UNROLL
    for (int j = 0; j < outputs; j++) {
      /* Of the next tile. */
      __builtin_prefetch(w + (j + outputs) * w_stride + k * size, 0, 2);
      vf b = plain_load(type, w + j * w_stride + k * size);
      UNROLL
      for (int i = 0; i < ROWS; i++) {
        sums[j][i] = vf_fma(a[i], b, sums[j][i]);
      }
    }
  }
  UNROLL
  for (int j = 0; j < outputs; j++) {
    UNROLL
    for (int i = 0; i < ROWS; i++) {
      float sum = vf_sum(sums[j][i]);
      if (k < inputs) {
        sum += rest(type, x + i * x_stride, w + j * w_stride, k, inputs);
      }
      deliver(p, r + i, o + j, sum);
    }
  }
}

INLINE void product_of_block(enum format type, const struct product *p, int64_t rows,
                             int64_t outputs) {
  int64_t block = BLOCK_BYTES / (p->inputs * plain_bytes(type)) / OUTPUTS * OUTPUTS;
  block = rows == 1 ? outputs : block < 2 * OUTPUTS ? 2 * OUTPUTS : block;
  for (int64_t from = 0; from < outputs; from += block) {
    int64_t to = from + block < outputs ? from + block : outputs;
    int64_t r = 0;
    for (; r <= rows - ROWS; r += ROWS) {
      int64_t o = from;
      for (; o <= to - OUTPUTS; o += OUTPUTS) {
        tile(type, OUTPUTS, p, r, o);
      }
      for (; o < to; o++) {
        tile(type, 1, p, r, o);
      }
    }
    for (; r < rows; r++) {
      for (int64_t o = from; o < to; o++) {
        line(type, p, r, o);
      }
    }
  }
}

INLINE void product(enum format type, struct product p, int64_t rows, int64_t outputs) {
  const int64_t block = rows <= ROWS ? p.inputs : BLOCK_INPUTS;
  for (int64_t left = p.inputs; left > 0; left -= block) {
    p.inputs = left < block ? left : block;
    product_of_block(type, &p, rows, outputs);
    p.x += p.inputs;
    p.w += p.inputs * plain_bytes(type);
    p.add = 1;
  }
}

/*
 * out: F32 [rows, outputs], rows out_stride elements apart; x: F32 [rows, inputs], rows x_stride
 * elements apart; w: [outputs, inputs] without gaps; add: whether to add to what is there.
 */
KERNEL(product)(enum format type, float *out, int64_t out_stride, const float *x,
                int64_t x_stride, int64_t rows, const uint8_t *w, int64_t inputs, int64_t outputs,
                int64_t add) {
  const struct product p = {
      out, out_stride, x, x_stride, w, inputs * plain_bytes(type), inputs, add};
  if (type == F32) {
    product(F32, p, rows, outputs);
  } else if (type == F16) {
    product(F16, p, rows, outputs);
  } else {
    product(BF16, p, rows, outputs);
  }
}
