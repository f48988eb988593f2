/*
 * Products of many rows with quantised weights, on CPUs that multiply bytes in fours: the integers
 * of a panel of weights are unpacked once, with a row in each lane, and meet all rows of x.
 *
 * CPUs with a matrix unit have their own way: amx.c. On others, unpacking does not pay.
 */
#include "kernels.h"

#if defined(HAS_MANY_ROWS) && !defined(__AMX_BF16__)

#include "rounded.h"

/* Inputs that are multiplied before the sums go to memory. */
#define BLOCK 4096
/* Rows of x whose sums lie in registers, and in as many the sums of a group. */
#define ROWS 8

INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

struct product {
  float *out;
  int64_t out_stride;
  const uint8_t *x;
  int64_t rows;
  int64_t inputs;
};

/* A chunk of LANES rows of weights: four integers of each row, then the next four. */
struct panel {
  uint32_t q[CHUNK / 4][LANES];
  float scale[2 * GROUPS][LANES];
  float offset[2 * GROUPS][LANES];
};

/* Unpacks inputs k to k + count of up to LANES rows; the others keep what they have. */
static void unpack(enum format type, struct panel *to, const uint8_t *w, int64_t stride,
                   int64_t outputs, int64_t k, int64_t count) {
  w += row_bytes(type, k);
  for (int64_t done = 0; done < count; done += CHUNK, to++) {
    const int64_t here = least(count - done, CHUNK);
    for (int64_t o = 0; o < outputs; o++) {
      struct chunk c;
      read_chunk(type, w + o * stride + row_bytes(type, done), row_bytes(type, here), &c);
      for (int i = 0; i < CHUNK / 4; i++) {
        to->q[i][o] = *(const stored32 *)(c.q + 4 * i) ^ DOT4_BIAS * 0x01010101u;
      }
      for (int i = 0; i < 2 * GROUPS; i++) {
        to->scale[i][o] = c.scale[i];
        to->offset[i][o] = c.offset[i] - DOT4_BIAS * c.scale[i];
      }
    }
  }
}

/*
 * LANES rows of weights with ROWS rows of x; behind the last one that there is, it stands in for
 * the others.
 */
INLINE void tile(int halves, vf *sums, const struct panel *w, const struct rounded *x,
                 int64_t chunks, int64_t stride, int last) {
  const int part = GROUP / halves;
  for (int64_t c = 0; c < chunks; c++, w++, x++) {
    for (int g = 0; g < CHUNK / part; g++) {
      vi dots[ROWS];
      UNROLL
      for (int r = 0; r < ROWS; r++) {
        dots[r] = vi_zero();
      }
      UNROLL
      for (int i = 0; i < part / 4; i++) {
        vi q = vi_load(w->q[g * part / 4 + i]);
        UNROLL
        for (int r = 0; r < ROWS; r++) {
          const int64_t row = r < last ? r : last;
          dots[r] = vi_dot4(dots[r], q, x[row * stride].x + g * part + 4 * i);
        }
      }
      const vf scale = vf_load(w->scale[g * 2 / halves]);
      const vf offset = vf_load(w->offset[g * 2 / halves]);
      UNROLL
      for (int r = 0; r < ROWS; r++) {
        const struct rounded *a = x + (r < last ? r : last) * stride;
        const float *by = halves == 2 ? a->half_scale + g : a->scale + g;
        const float *sum = halves == 2 ? a->half_sum + g : a->sum + g;
        sums[r] = vf_fma(vf_of_vi(dots[r]), vf_mul(scale, vf_all(*by)), sums[r]);
        sums[r] = vf_fma(offset, vf_all(*sum), sums[r]);
      }
    }
  }
}

/* Inputs k to k + count of up to LANES rows of weights, unpacked, with all rows of x. */
static void all_rows(enum format type, const struct product *p, const struct panel *panel,
                     int64_t k, int64_t count, int64_t o, int64_t outputs, int add) {
  const int64_t stride = (p->inputs + CHUNK - 1) / CHUNK;
  const int64_t chunks = (count + CHUNK - 1) / CHUNK;
  for (int64_t r = 0; r < p->rows; r += ROWS) {
    const struct rounded *x = (const struct rounded *)p->x + r * stride + k / CHUNK;
    const int last = (int)least(p->rows - r, ROWS) - 1;
    vf sums[ROWS];
    float lanes[LANES];
    for (int i = 0; i < ROWS; i++) {
      sums[i] = vf_zero();
    }
    if (has_halves(type)) {
      tile(2, sums, panel, x, chunks, stride, last);
    } else {
      tile(1, sums, panel, x, chunks, stride, last);
    }
    for (int i = 0; i <= last; i++) {
      float *out = p->out + (r + i) * p->out_stride + o;
      vf_store(lanes, sums[i]);
      for (int64_t j = 0; j < outputs; j++) {
        out[j] = add ? out[j] + lanes[j] : lanes[j];
      }
    }
  }
}

KERNEL(quantize)(uint8_t *, const float *, int64_t, int64_t, int64_t);

/* Prepares rows of x for product_many, in parts that begin at any row. */
KERNEL(pack)(enum format type, uint8_t *out, int64_t first, const float *x, int64_t x_stride,
             int64_t rows, int64_t inputs) {
  const int64_t bytes = (inputs + CHUNK - 1) / CHUNK * (int64_t)sizeof(struct rounded);
  (void)type;
  NAMED(llama_, quantize, LEVEL)(out + first * bytes, x, x_stride, rows, inputs);
}

/*
 * As product_quantized, for many rows: x as `pack` leaves them; scratch: 64-byte aligned, room for
 * the weights of a panel.
 */
KERNEL(product_many)(enum format type, float *out, int64_t out_stride, const uint8_t *x,
                     int64_t rows, const uint8_t *w, int64_t inputs, int64_t outputs, int64_t add,
                     uint8_t *scratch) {
  const struct product p = {out, out_stride, x, rows, inputs};
  const int64_t stride = row_bytes(type, inputs);
  struct panel *panel = (struct panel *)scratch;
  for (int64_t k = 0; k < inputs; k += BLOCK) {
    const int64_t count = least(inputs - k, BLOCK);
    for (int64_t o = 0; o < outputs; o += LANES) {
      const int64_t here = least(outputs - o, LANES);
      unpack(type, panel, w + o * stride, stride, here, k, count);
      all_rows(type, &p, panel, k, count, o, here, add || k > 0);
    }
  }
}

#endif
