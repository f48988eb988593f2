/*
 * Products of activations with weights that store each element by itself:
 * out[r][o] (=|+=) x[r] . w[o]. Rows of weights are read as they are stored; a tile of them is
 * multiplied with up to four rows of x at a time, so that each conversion is used four times.
 */
#include "simd.h"

/* Weights that stay in the second-level cache while all rows of x pass by. */
#define BLOCK_BYTES (128 << 10)
/* Elements of four rows of x that stay in the first-level cache while a block of weights does. */
#define BLOCK_INPUTS 1024

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

/* `outputs` and `rows` are constants at every call, so that `sums` lies in registers. */
INLINE void tile(enum format type, int outputs, int rows, const struct product *p, int64_t o,
                 int64_t r) {
  const int64_t size = plain_bytes(type);
  const int64_t inputs = p->inputs;
  const int64_t x_stride = p->x_stride;
  const int64_t w_stride = p->w_stride;
  const uint8_t *w = p->w + o * w_stride;
  const float *x = p->x + r * x_stride;
  vf sums[4][4];
  UNROLL
  for (int j = 0; j < outputs; j++) {
    UNROLL
    for (int i = 0; i < rows; i++) {
      sums[j][i] = vf_zero();
    }
  }
  int64_t k = 0;
  for (; k <= inputs - LANES; k += LANES) {
    vf a[4];
    UNROLL
    for (int i = 0; i < rows; i++) {
      a[i] = vf_load(x + i * x_stride + k);
    }
    UNROLL
    for (int j = 0; j < outputs; j++) {
      vf b = plain_load(type, w + j * w_stride + k * size);
      UNROLL
      for (int i = 0; i < rows; i++) {
        sums[j][i] = vf_fma(a[i], b, sums[j][i]);
      }
    }
  }
  UNROLL
  for (int j = 0; j < outputs; j++) {
    UNROLL
    for (int i = 0; i < rows; i++) {
      float total = vf_sum(sums[j][i]);
      for (int64_t t = k; t < inputs; t++) {
        total += x[i * x_stride + t] * plain_one(type, w + j * w_stride + t * size);
      }
      float *out = p->out + (r + i) * p->out_stride + o + j;
      *out = p->add ? *out + total : total;
    }
  }
}

INLINE void strip(enum format type, int rows, const struct product *p, int64_t from, int64_t to,
                  int64_t r) {
  /* Sums, weights and activations of a tile share 16 registers. */
  const int outputs = rows == 4 ? 3 : 4;
  int64_t o = from;
  for (; o <= to - outputs; o += outputs) {
    tile(type, outputs, rows, p, o, r);
  }
  for (; o < to; o++) {
    tile(type, 1, rows, p, o, r);
  }
}

INLINE void product_of_block(enum format type, const struct product *p, int64_t rows,
                             int64_t outputs) {
  int64_t block = BLOCK_BYTES / (p->inputs * plain_bytes(type));
  block = block < 12 ? 12 : block - block % 12;
  for (int64_t from = 0; from < outputs; from += block) {
    int64_t to = from + block < outputs ? from + block : outputs;
    int64_t r = 0;
    for (; r <= rows - 4; r += 4) {
      strip(type, 4, p, from, to, r);
    }
    switch (rows - r) {
      case 3:
        strip(type, 3, p, from, to, r);
        break;
      case 2:
        strip(type, 2, p, from, to, r);
        break;
      case 1:
        strip(type, 1, p, from, to, r);
        break;
      default:
        break;
    }
  }
}

INLINE void product(enum format type, struct product p, int64_t rows, int64_t outputs) {
  if (rows <= 4) {
    product_of_block(type, &p, rows, outputs);
    return;
  }
  int64_t left = p.inputs;
  do {
    p.inputs = left < BLOCK_INPUTS ? left : BLOCK_INPUTS;
    product_of_block(type, &p, rows, outputs);
    p.x += p.inputs;
    p.w += p.inputs * plain_bytes(type);
    p.add = 1;
    left -= p.inputs;
  } while (left > 0);
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
