/*
 * Products of F32 matrices, as training needs them: c[rows, columns] (=|+=) a · b, where a and b may
 * each be stored by rows or by columns. b is copied to panels of 32 columns and a to strips of STRIP
 * rows, each in the order in which the innermost loop reads them.
 *
 * CPUs with a matrix unit (AMX) multiply BF16 only, but so much faster that F32 is made of it: an
 * F32 is the sum of three BF16, exactly (8 bits of the significand in each), and of the nine
 * products of two such sums those that matter at 24 bits are six. The result is as exact as that of
 * F32 multiply-adds; infinities become NaN.
 */
#ifndef LLAMA_GRAD_MATRIX_H
#define LLAMA_GRAD_MATRIX_H

#include "simd.h"

/* Columns of a panel, and bytes of its rows whatever the kind of kernel. */
#define PANEL 32
#define PANEL_ROW_BYTES (PANEL * 6)
/* Panels begin at whole steps of depth. */
#define STEP 32

/* A matrix: distance of its rows, and of its columns, in elements; one of them is 1. */
struct matrix {
  const float *at;
  int64_t row, column;
};

INLINE int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t steps_of(int64_t depth) { return (depth + STEP - 1) / STEP; }
INLINE int64_t panel_bytes(int64_t depth) { return steps_of(depth) * STEP * PANEL_ROW_BYTES; }

#ifdef __AMX_BF16__

#define STRIP 32 /* rows that are multiplied at a time */
#define TILE_BYTES 1024 /* 16 rows of 32 BF16 */
#define PART_BYTES (2 * TILE_BYTES)
#define STEP_BYTES (3 * PART_BYTES)

/*
 * Three BF16, each in the upper half of a lane, whose sum is x. The lower halves are garbage. They
 * are rounded, not cut off: else every part has the sign of x, so have the products that are left
 * out, and all results are too small by one part in ten million.
 */
INLINE void split(__m512 x, __m512i parts[3]) {
  const __m512i upper = _mm512_set1_epi32((int)0xffff0000), half = _mm512_set1_epi32(0x8000);
  __m512 rest = x;
  UNROLL
  for (int p = 0; p < 2; p++) {
    parts[p] = _mm512_add_epi32(_mm512_castps_si512(rest), half);
    rest = _mm512_sub_ps(rest, _mm512_castsi512_ps(_mm512_and_si512(parts[p], upper)));
  }
  parts[2] = _mm512_castps_si512(rest);
}

/* The upper halves of two rows of 16, side by side: lines whose neighbours are in depth. */
INLINE void pack_line(uint8_t *to, __m512 first, __m512 second) {
  const __m512i upper = _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35,
                                         33, 31, 29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3,
                                         1);
  __m512i a[3], b[3];
  split(first, a);
  split(second, b);
  UNROLL
  for (int p = 0; p < 3; p++) {
    _mm512_storeu_si512(to + p * PART_BYTES, _mm512_permutex2var_epi16(a[p], upper, b[p]));
  }
}

/* Each pair of upper halves becomes one lane: pairs whose neighbours are in another direction. */
INLINE void pack_pairs(uint8_t *to, __m512 first, __m512 second) {
  const __mmask32 odd = 0xaaaaaaaa;
  __m512i a[3], b[3];
  split(first, a);
  split(second, b);
  UNROLL
  for (int p = 0; p < 3; p++) {
    __m512i pairs = _mm512_mask_mov_epi16(_mm512_srli_epi32(a[p], 16), odd, b[p]);
    _mm512_storeu_si512(to + p * PART_BYTES, pairs);
  }
}

/* A tile of 16 rows of 16 lanes changes places with its transpose. */
INLINE void transpose(uint8_t *tile) {
  __m512i a[16], b[16];
  UNROLL
  for (int i = 0; i < 16; i++) {
    a[i] = _mm512_loadu_si512(tile + i * 64);
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
  /* a[4 i + j] holds lanes j, j + 4, j + 8 and j + 12 of rows 4 i to 4 i + 3. */
  UNROLL
  for (int j = 0; j < 4; j++) {
    __m512i low = _mm512_shuffle_i32x4(a[j], a[4 + j], 0x88);
    __m512i high = _mm512_shuffle_i32x4(a[8 + j], a[12 + j], 0x88);
    __m512i low_odd = _mm512_shuffle_i32x4(a[j], a[4 + j], 0xdd);
    __m512i high_odd = _mm512_shuffle_i32x4(a[8 + j], a[12 + j], 0xdd);
    _mm512_storeu_si512(tile + 64 * j, _mm512_shuffle_i32x4(low, high, 0x88));
    _mm512_storeu_si512(tile + 64 * (j + 8), _mm512_shuffle_i32x4(low, high, 0xdd));
    _mm512_storeu_si512(tile + 64 * (j + 4), _mm512_shuffle_i32x4(low_odd, high_odd, 0x88));
    _mm512_storeu_si512(tile + 64 * (j + 12), _mm512_shuffle_i32x4(low_odd, high_odd, 0xdd));
  }
}

INLINE __mmask16 lanes(int64_t count) {
  return count >= 16 ? 0xffff : count <= 0 ? 0 : (__mmask16)((1u << count) - 1);
}

/*
 * One step of depth of 16 lines, rows of a or columns of b: `across` from line to line, `along` the
 * depth. A tile of a has a line in each row, a tile of b a pair of depths.
 */
INLINE void pack_tile(uint8_t *to, const float *from, int64_t across, int64_t along, int64_t count,
                      int64_t depth, int by_lines) {
  for (int i = 0; i < 16; i++) {
    if (along == 1) {
      const float *line = from + i * across;
      const int64_t left = i < count ? depth : 0;
      pack_line(to + i * 64, _mm512_maskz_loadu_ps(lanes(left), line),
                _mm512_maskz_loadu_ps(lanes(left - 16), line + 16));
    } else {
      const float *pair = from + 2 * i * along;
      const __mmask16 first = 2 * i < depth ? lanes(count) : 0;
      const __mmask16 second = 2 * i + 1 < depth ? lanes(count) : 0;
      pack_pairs(to + i * 64, _mm512_maskz_loadu_ps(first, pair),
                 _mm512_maskz_loadu_ps(second, pair + along));
    }
  }
  if ((along == 1) != by_lines) {
    for (int p = 0; p < 3; p++) {
      transpose(to + p * PART_BYTES);
    }
  }
}

/* All steps of up to 32 lines. */
INLINE void pack_lines(uint8_t *to, const float *from, int64_t across, int64_t along, int64_t count,
                       int64_t depth, int by_lines) {
  for (int64_t k = 0; k < depth; k += STEP, to += STEP_BYTES) {
    for (int64_t half = 0; half < 2; half++) {
      const float *at = from + half * 16 * across + k * along;
      pack_tile(to + half * TILE_BYTES, at, across, along, count - half * 16, depth - k, by_lines);
    }
  }
}

/* The first `count` of 32 columns; what is missing is 0. */
INLINE void pack_panel(uint8_t *to, struct matrix b, int64_t count, int64_t depth) {
  pack_lines(to, b.at, b.column, b.row, count, depth, 0);
}

/* The first `count` of STRIP rows; what is missing is 0. */
INLINE void pack_strip(uint8_t *to, struct matrix a, int64_t count, int64_t depth) {
  pack_lines(to, a.at, a.row, a.column, count, depth, 1);
}

struct tile_config {
  uint8_t palette, start, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
};

/* Before the first product of a call of a kernel, and after the last. */
INLINE void begin(void) {
  struct tile_config config = {.palette = 1};
  for (int i = 0; i < 8; i++) {
    config.row_bytes[i] = 64;
    config.rows[i] = 16;
  }
  _tile_loadconfig(&config);
}

INLINE void end(void) { _tile_release(); }

INLINE void load_a(const uint8_t *part) {
  _tile_loadd(4, part, 64);
  _tile_loadd(5, part + TILE_BYTES, 64);
}

INLINE void load_b(const uint8_t *part) {
  _tile_loadd(6, part, 64);
  _tile_loadd(7, part + TILE_BYTES, 64);
}

INLINE void multiply_tiles(void) {
  _tile_dpbf16ps(0, 4, 6);
  _tile_dpbf16ps(1, 4, 7);
  _tile_dpbf16ps(2, 5, 6);
  _tile_dpbf16ps(3, 5, 7);
}

/* Where a depth of a panel is. */
INLINE const uint8_t *panel_at(const uint8_t *panel, int64_t depth) {
  return panel + depth * PANEL_ROW_BYTES;
}

/* c[32, 32] (=|+=) strip · panel; `packed` is the depth of which the panel was made. */
INLINE void multiply(float *c, int64_t c_row, const uint8_t *a, const uint8_t *b, int64_t packed,
                     int64_t depth, int64_t add) {
  (void)packed;
  const int64_t stride = c_row * 4;
  float *below = c + 16 * c_row;
  if (add) {
    _tile_loadd(0, c, stride);
    _tile_loadd(1, c + 16, stride);
    _tile_loadd(2, below, stride);
    _tile_loadd(3, below + 16, stride);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t k = 0; k < depth; k += STEP, a += STEP_BYTES, b += STEP_BYTES) {
    load_a(a);
    load_b(b + 2 * PART_BYTES);
    multiply_tiles();
    load_b(b + PART_BYTES);
    multiply_tiles();
    load_a(a + PART_BYTES);
    multiply_tiles();
    load_b(b);
    multiply_tiles();
    load_a(a + 2 * PART_BYTES);
    multiply_tiles();
    load_a(a);
    multiply_tiles();
  }
  _tile_stored(0, c, stride);
  _tile_stored(1, c + 16, stride);
  _tile_stored(2, below, stride);
  _tile_stored(3, below + 16, stride);
}

#else

/* Sums of STRIP x COLUMNS, a row of a panel and a factor share the registers. */
#if defined(__AVX512F__)
#define STRIP 14
#elif defined(__AVX2__)
#define STRIP 6
#else
#define STRIP 12
#endif
#define COLUMNS (2 * LANES)

/* [COLUMNS of a panel][depth][COLUMNS] */
INLINE void pack_panel(uint8_t *to, struct matrix b, int64_t count, int64_t depth) {
  float *out = (float *)to;
  for (int64_t first = 0; first < PANEL; first += COLUMNS) {
    for (int64_t k = 0; k < depth; k++) {
      for (int64_t j = first; j < first + COLUMNS; j++) {
        *out++ = j < count ? b.at[k * b.row + j * b.column] : 0;
      }
    }
  }
}

/* [depth][STRIP] */
INLINE void pack_strip(uint8_t *to, struct matrix a, int64_t count, int64_t depth) {
  float *out = (float *)to;
  for (int64_t k = 0; k < depth; k++) {
    for (int64_t i = 0; i < STRIP; i++) {
      *out++ = i < count ? a.at[i * a.row + k * a.column] : 0;
    }
  }
}

INLINE void begin(void) {}
INLINE void end(void) {}

/* Where a depth of a panel is. */
INLINE const uint8_t *panel_at(const uint8_t *panel, int64_t depth) {
  return panel + depth * COLUMNS * 4;
}

/* c[STRIP, PANEL] (=|+=) strip · panel; `packed` is the depth of which the panel was made. */
INLINE void multiply(float *c, int64_t c_row, const uint8_t *strip, const uint8_t *panel,
                     int64_t packed, int64_t depth, int64_t add) {
  for (int64_t first = 0; first < PANEL; first += COLUMNS) {
    const float *b = (const float *)panel + first * packed;
    const float *a = (const float *)strip;
    vf sums[STRIP][2];
    UNROLL
    for (int i = 0; i < STRIP; i++) {
      sums[i][0] = sums[i][1] = vf_zero();
    }
    for (int64_t k = 0; k < depth; k++, a += STRIP, b += COLUMNS) {
      vf left = vf_load(b), right = vf_load(b + LANES);
      UNROLL
      for (int i = 0; i < STRIP; i++) {
        vf factor = vf_all(a[i]);
        sums[i][0] = vf_fma(factor, left, sums[i][0]);
        sums[i][1] = vf_fma(factor, right, sums[i][1]);
      }
    }
    UNROLL
    for (int i = 0; i < STRIP; i++) {
      float *to = c + i * c_row + first;
      UNROLL
      for (int j = 0; j < 2; j++) {
        vf sum = sums[i][j];
        vf_store(to + j * LANES, add ? vf_add(vf_load(to + j * LANES), sum) : sum);
      }
    }
  }
}

#endif

INLINE int64_t strip_bytes(int64_t depth) { return steps_of(depth) * STEP * STRIP * 6; }

/* The same at the edges of c, of which only some rows and columns exist. */
INLINE void multiply_edge(float *c, int64_t c_row, int64_t rows, int64_t columns, const uint8_t *a,
                          const uint8_t *b, int64_t packed, int64_t depth, int64_t add) {
  float whole[STRIP * PANEL] __attribute__((aligned(64)));
  multiply(whole, PANEL, a, b, packed, depth, 0);
  for (int64_t i = 0; i < rows; i++) {
    for (int64_t j = 0; j < columns; j++) {
      float *to = c + i * c_row + j;
      *to = add ? *to + whole[i * PANEL + j] : whole[i * PANEL + j];
    }
  }
}

/* All strips of a[rows, depth]. */
INLINE void pack_strips(uint8_t *to, struct matrix a, int64_t rows, int64_t depth) {
  for (int64_t i = 0; i < rows; i += STRIP, to += strip_bytes(depth)) {
    const struct matrix strip = {a.at + i * a.row, a.row, a.column};
    pack_strip(to, strip, least(STRIP, rows - i), depth);
  }
}

/* All panels of b[depth, columns]. */
INLINE void pack_panels(uint8_t *to, struct matrix b, int64_t depth, int64_t columns) {
  for (int64_t j = 0; j < columns; j += PANEL, to += panel_bytes(depth)) {
    const struct matrix panel = {b.at + j * b.column, b.row, b.column};
    pack_panel(to, panel, least(PANEL, columns - j), depth);
  }
}

#endif
