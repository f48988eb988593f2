/*
 * Products of many rows by the matrix unit of Intel CPUs (AMX): tiles of 16 rows of 32 BF16
 * numbers, whose products are added in F32.
 *
 * A number that BF16 cannot hold is rounded, or split into a rounded number and the rest, of which
 * the products are added: see `parts`.
 */
#ifdef __AMX_BF16__

#include "formats.h"

#define TILE 16
#define STEP 32 /* elements of a row of a tile */
#define TILE_BYTES (TILE * STEP * 2)
/* Inputs that are multiplied before the sums go to memory. */
#define BLOCK 1024
/* Outputs whose weights are unpacked at a time: with BLOCK inputs, 512 KiB of BF16. */
#define PANEL 256

/*
 * Numbers of BF16 that stand for an activation, and for a weight of a type. Three hold what F32 does,
 * two what F16 does. Of quantised weights both are rounded: that loses less than the rounding of
 * activations to int8 in products of few rows.
 */
#define MAX_PARTS 3
INLINE int x_parts(enum format type) { return type <= BF16 ? MAX_PARTS : 1; }
INLINE int w_parts(enum format type) { return type == F16 ? 2 : 1; }

typedef uint16_t bf16;

INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* 32 floats as BF16; the next part is what the rounding left, `distance` further on. */
INLINE void split(int parts, const float *x, bf16 *to, int64_t distance) {
  __m512 a = _mm512_loadu_ps(x), b = _mm512_loadu_ps(x + 16);
  for (int i = 0; i < parts; i++) {
    __m512i both = (__m512i)_mm512_cvtne2ps_pbh(b, a);
    _mm512_store_si512((void *)(to + i * distance), both);
    __m512i low = _mm512_cvtepu16_epi32(_mm512_castsi512_si256(both));
    __m512i high = _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(both, 1));
    a = _mm512_sub_ps(a, _mm512_castsi512_ps(_mm512_slli_epi32(low, 16)));
    b = _mm512_sub_ps(b, _mm512_castsi512_ps(_mm512_slli_epi32(high, 16)));
  }
}

/* 16 rows of 16 words, `stride` bytes apart, as columns. */
INLINE void transpose(uint8_t *to, const uint8_t *from, int64_t stride) {
  __m512i a[16], b[16];
  UNROLL
  for (int i = 0; i < 16; i++) {
    a[i] = _mm512_load_si512((const void *)(from + i * stride));
  }
  UNROLL
  for (int i = 0; i < 16; i += 2) {
    b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
  }
  UNROLL
  for (int i = 0; i < 16; i += 4) {
    a[i] = _mm512_unpacklo_epi64(b[i], b[i + 2]);
    a[i + 1] = _mm512_unpackhi_epi64(b[i], b[i + 2]);
    a[i + 2] = _mm512_unpacklo_epi64(b[i + 1], b[i + 3]);
    a[i + 3] = _mm512_unpackhi_epi64(b[i + 1], b[i + 3]);
  }
  /* a[4 i + j]: columns j, 4 + j, 8 + j, 12 + j of rows 4 i to 4 i + 3. */
  UNROLL
  for (int j = 0; j < 4; j++) {
    b[j] = _mm512_shuffle_i32x4(a[j], a[4 + j], 0x44);
    b[4 + j] = _mm512_shuffle_i32x4(a[j], a[4 + j], 0xee);
    b[8 + j] = _mm512_shuffle_i32x4(a[8 + j], a[12 + j], 0x44);
    b[12 + j] = _mm512_shuffle_i32x4(a[8 + j], a[12 + j], 0xee);
  }
  UNROLL
  for (int j = 0; j < 4; j++) {
    _mm512_store_si512((void *)(to + 64 * j), _mm512_shuffle_i32x4(b[j], b[8 + j], 0x88));
    _mm512_store_si512((void *)(to + 64 * (4 + j)), _mm512_shuffle_i32x4(b[j], b[8 + j], 0xdd));
    _mm512_store_si512((void *)(to + 64 * (8 + j)),
                       _mm512_shuffle_i32x4(b[4 + j], b[12 + j], 0x88));
    _mm512_store_si512((void *)(to + 64 * (12 + j)),
                       _mm512_shuffle_i32x4(b[4 + j], b[12 + j], 0xdd));
  }
}

INLINE void read_nothing(float *to) {
  for (int i = 0; i < CHUNK; i += LANES) {
    vf_store(to + i, vf_zero());
  }
}

/*
 * Unpacks inputs k to k + count of 32 rows of weights: for each step tiles of the parts of the first
 * 16 rows, then those of the others. Rows from `outputs` on are zero.
 */
static void unpack(enum format type, uint8_t *to, const uint8_t *w, int64_t stride,
                   int64_t outputs, int64_t k, int64_t count) {
  const int parts = w_parts(type);
  const int64_t tiles = 2 * parts * TILE_BYTES;
  float floats[CHUNK] __attribute__((aligned(64)));
  bf16 rows[2][TILE][CHUNK] __attribute__((aligned(64)));
  for (int64_t done = 0; done < count; done += CHUNK) {
    const int64_t part = least(count - done, CHUNK);
    for (int half = 0; half < 2; half++) {
      for (int i = 0; i < TILE; i++) {
        const int64_t o = half * TILE + i;
        if (o < outputs) {
          read_row(type, w + o * stride, k + done, part, floats);
        } else {
          read_nothing(floats);
        }
        for (int j = 0; j < part; j += STEP) {
          split(parts, floats + j, &rows[0][i][j], TILE * CHUNK);
        }
      }
      for (int j = 0; j < part; j += STEP) {
        for (int p = 0; p < parts; p++) {
          uint8_t *tile = to + (done + j) / STEP * tiles + (half * parts + p) * TILE_BYTES;
          transpose(tile, (const uint8_t *)&rows[p][0][j], CHUNK * 2);
        }
      }
    }
  }
}

struct tile_config {
  uint8_t palette, start, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
};

/* Sums of 32 rows of x with 32 rows of weights, over a number of steps. */
INLINE void tiles(int xs, int ws, float *sums, const uint8_t *x, int64_t x_distance,
                  const uint8_t *w, int64_t steps) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t s = 0; s < steps; s++) {
    UNROLL
    for (int i = 0; i < xs; i++) {
      _tile_loadd(4, x + i * TILE_BYTES, 64);
      _tile_loadd(5, x + x_distance + i * TILE_BYTES, 64);
      for (int j = 0; j < ws && i + j < MAX_PARTS; j++) { /* the rest is below what F32 holds */
        if (i == 0 || ws > 1) {
          _tile_loadd(6, w + j * TILE_BYTES, 64);
          _tile_loadd(7, w + (ws + j) * TILE_BYTES, 64);
        }
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
    }
    x += xs * TILE_BYTES;
    w += 2 * ws * TILE_BYTES;
  }
  _tile_stored(0, sums, PANEL * 4);
  _tile_stored(1, sums + TILE, PANEL * 4);
  _tile_stored(2, sums + TILE * PANEL, PANEL * 4);
  _tile_stored(3, sums + TILE * PANEL + TILE, PANEL * 4);
}

struct product {
  float *out;
  int64_t out_stride;
  const uint8_t *x;
  int64_t rows;
  const uint8_t *w;
  int64_t w_stride;
  int64_t inputs;
  int64_t outputs;
  uint8_t *panel;
};

/* Sets or adds the sums of some rows and outputs. */
static void deliver(float *out, int64_t stride, float (*sums)[PANEL], int64_t rows,
                    int64_t outputs, int add) {
  for (int64_t r = 0; r < rows; r++) {
    float *to = out + r * stride;
    for (int64_t o = 0; o < outputs; o += TILE) {
      const __mmask16 mask = outputs - o < TILE ? (1u << (outputs - o)) - 1 : 0xffff;
      __m512 a = _mm512_load_ps(sums[r] + o);
      if (add) {
        a = _mm512_add_ps(a, _mm512_maskz_loadu_ps(mask, to + o));
      }
      _mm512_mask_storeu_ps(to + o, mask, a);
    }
  }
}

/* Inputs k to k + count and some outputs: their weights are unpacked, and meet all rows of x. */
static void panel(enum format type, const struct product *p, int64_t k, int64_t count, int64_t o,
                  int64_t outputs, int add) {
  const int64_t steps = (p->inputs + STEP - 1) / STEP, now = (count + STEP - 1) / STEP;
  const int64_t x_step = x_parts(type) * TILE_BYTES; /* of a tile of rows */
  const int64_t w_bytes = 2 * w_parts(type) * TILE_BYTES * (BLOCK / STEP);
  float sums[2 * TILE][PANEL] __attribute__((aligned(64)));
  for (int64_t i = 0; i < outputs; i += 2 * TILE) {
    const uint8_t *w = p->w + (o + i) * p->w_stride;
    unpack(type, p->panel + i / (2 * TILE) * w_bytes, w, p->w_stride, outputs - i, k, count);
  }
  for (int64_t r = 0; r < p->rows; r += 2 * TILE) {
    const uint8_t *x = p->x + (r / TILE * steps + k / STEP) * x_step;
    for (int64_t i = 0; i < outputs; i += 2 * TILE) {
      const uint8_t *w = p->panel + i / (2 * TILE) * w_bytes;
      if (w_parts(type) == 2) {
        tiles(MAX_PARTS, 2, sums[0] + i, x, steps * x_step, w, now);
      } else if (x_parts(type) == MAX_PARTS) {
        tiles(MAX_PARTS, 1, sums[0] + i, x, steps * x_step, w, now);
      } else {
        tiles(1, 1, sums[0] + i, x, steps * x_step, w, now);
      }
    }
    deliver(p->out + r * p->out_stride + o, p->out_stride, sums, least(p->rows - r, 2 * TILE),
            outputs, add);
  }
}

/*
 * Prepares rows of x for product_many, in parts that begin at a multiple of 32. out: for each 16 rows
 * and 32 inputs a tile of each part; rows and inputs are filled up to 32 with zeros.
 */
KERNEL(pack)(enum format type, uint8_t *out, int64_t first, const float *x, int64_t x_stride,
             int64_t rows, int64_t inputs) {
  const int parts = x_parts(type);
  const int64_t steps = (inputs + STEP - 1) / STEP;
  out += first / TILE * steps * parts * TILE_BYTES;
  for (int64_t r = 0; r < (rows + 31) / 32 * 32; r++) {
    for (int64_t s = 0; s < steps; s++) {
      const int64_t there = r < rows ? least(inputs - s * STEP, STEP) : 0;
      const float *from = x + r * x_stride + s * STEP;
      float last[STEP];
      if (there < STEP) {
        for (int i = 0; i < STEP; i++) {
          last[i] = i < there ? from[i] : 0;
        }
        from = last;
      }
      uint8_t *tile = out + (r / TILE * steps + s) * parts * TILE_BYTES;
      split(parts, from, (bf16 *)tile + r % TILE * STEP, TILE * STEP);
    }
  }
}

/*
 * As product, for many rows: x as `pack` leaves them; scratch: 64-byte aligned, room for the weights
 * of a panel.
 */
KERNEL(product_many)(enum format type, float *out, int64_t out_stride, const uint8_t *x,
                     int64_t rows, const uint8_t *w, int64_t inputs, int64_t outputs, int64_t add,
                     uint8_t *scratch) {
  const struct product p = {
      out, out_stride, x, rows, w, row_bytes(type, inputs), inputs, outputs, scratch};
  struct tile_config config = {.palette = 1};
  for (int i = 0; i < 8; i++) {
    config.row_bytes[i] = 64;
    config.rows[i] = TILE;
  }
  _tile_loadconfig(&config);
  for (int64_t k = 0; k < inputs; k += BLOCK) {
    for (int64_t o = 0; o < outputs; o += PANEL) {
      panel(type, &p, k, least(inputs - k, BLOCK), o, least(outputs - o, PANEL), add || k > 0);
    }
  }
  _tile_release();
}

#endif
