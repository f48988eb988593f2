/*
 * What products of quantised weights need of an instruction set: a vector of small integers, of
 * VB_GROUPS groups of 32 bytes, and eight floats, a factor for each group of a chunk.
 */
#ifndef LLAMA_BYTES_H
#define LLAMA_BYTES_H

#include "simd.h"

#if defined(__AVX2__)

/* Eight floats. */
typedef __m256 v8;
INLINE v8 v8_zero(void) { return _mm256_setzero_ps(); }
INLINE v8 v8_all(float x) { return _mm256_set1_ps(x); }
INLINE v8 v8_load(const float *p) { return _mm256_loadu_ps(p); }
INLINE void v8_store(float *p, v8 a) { _mm256_storeu_ps(p, a); }
INLINE v8 v8_mul(v8 a, v8 b) { return _mm256_mul_ps(a, b); }
/* a * b + c */
INLINE v8 v8_fma(v8 a, v8 b, v8 c) { return _mm256_fmadd_ps(a, b, c); }
/* The eight bytes of a word. */
INLINE v8 v8_of_signed(uint64_t word) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_cvtsi64_si128((int64_t)word)));
}
INLINE v8 v8_of_unsigned(uint64_t word) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128((int64_t)word)));
}
/* The first four elements twice each (part 0), or the others (part 1). */
INLINE v8 v8_twice(v8 a, int part) {
  const __m256i which = part ? _mm256_set_epi32(7, 7, 6, 6, 5, 5, 4, 4)
                             : _mm256_set_epi32(3, 3, 2, 2, 1, 1, 0, 0);
  return _mm256_permutevar8x32_ps(a, which);
}

INLINE float v8_total(v8 a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

/* Rounds 16 floats to bytes and returns their sum. */
INLINE int bytes_round16(int8_t *out, const float *x, float factor) {
  __m256 f = _mm256_set1_ps(factor);
  __m256i a = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), f));
  __m256i b = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8), f));
  /* Packing works within halves of the register: four words of a and of b, twice. */
  __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);
  __m128i low = _mm256_castsi256_si128(words), high = _mm256_extracti128_si256(words, 1);
  _mm_storeu_si128((void *)out, _mm_packs_epi16(low, high));
  __m128i s = _mm_madd_epi16(_mm_add_epi16(low, high), _mm_set1_epi16(1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

/* Eight F16 numbers, `stride` bytes apart; they lie in blocks of that size, which may be read. */
INLINE v8 v8_of_halves(const uint8_t *p, int stride) {
#ifdef __AVX512BW__
  if (7 * stride <= 126) {
    const int s = stride / 2;
    const __m512i which = _mm512_castsi128_si512(
        _mm_set_epi16(7 * s, 6 * s, 5 * s, 4 * s, 3 * s, 2 * s, s, 0));
    __m512i h = _mm512_permutex2var_epi16(_mm512_loadu_si512(p), which, _mm512_loadu_si512(p + 64));
    return _mm256_cvtph_ps(_mm512_castsi512_si128(h));
  }
#endif
  __m128i h = _mm_cvtsi32_si128(*(const stored16 *)p);
  h = _mm_insert_epi16(h, *(const stored16 *)(p + stride), 1);
  h = _mm_insert_epi16(h, *(const stored16 *)(p + 2 * stride), 2);
  h = _mm_insert_epi16(h, *(const stored16 *)(p + 3 * stride), 3);
  h = _mm_insert_epi16(h, *(const stored16 *)(p + 4 * stride), 4);
  h = _mm_insert_epi16(h, *(const stored16 *)(p + 5 * stride), 5);
  h = _mm_insert_epi16(h, *(const stored16 *)(p + 6 * stride), 6);
  h = _mm_insert_epi16(h, *(const stored16 *)(p + 7 * stride), 7);
  return _mm256_cvtph_ps(h);
}

#if defined(__AVX512BW__)

#define VB_GROUPS 2
typedef __m512i vb;

/* A constant. Hidden from the compiler, which would make it anew in each turn of a loop. */
INLINE vb vb_all(int x) {
  vb a = _mm512_set1_epi8((char)x);
  __asm__("" : "+v"(a));
  return a;
}
INLINE vb vb_load(const void *p) { return _mm512_loadu_si512(p); }
INLINE void vb_store(void *p, vb a) { _mm512_storeu_si512(p, a); }
INLINE vb vb_and(vb a, vb b) { return _mm512_and_si512(a, b); }
INLINE vb vb_or(vb a, vb b) { return _mm512_or_si512(a, b); }
#ifdef __GFNI__
/* The matrix that moves `bits` bits of a byte, from bit `from` on, to bit `to`. */
INLINE int64_t moving(int from, int bits, int to) {
  uint64_t matrix = 0;
  UNROLL
  for (int i = 0; i < bits; i++) {
    matrix |= 1ull << (from + i) << 8 * (7 - to - i);
  }
  return (int64_t)matrix;
}
#endif

/* `bits` bits of each byte: from bit `from` on in the first group, `other` in the second. */
INLINE vb vb_moved(vb a, int from, int other, int bits, int to) {
#ifdef __GFNI__
  const int64_t f = moving(from, bits, to), o = moving(other, bits, to);
  return _mm512_gf2p8affine_epi64_epi8(a, _mm512_set_epi64(o, o, o, o, f, f, f, f), 0);
#else
  const int64_t f = (from - to) & 63, o = (other - to) & 63;
  const vb turned = _mm512_rorv_epi64(a, _mm512_set_epi64(o, o, o, o, f, f, f, f));
  return vb_and(turned, vb_all(((1 << bits) - 1) << to));
#endif
}

/* `bits` bits of each byte, from bit `from` on, moved to bit `to`. */
INLINE vb vb_field(vb a, int from, int bits, int to) {
#ifdef __GFNI__
  return vb_moved(a, from, from, bits, to);
#else
  const vb moved = from < to ? _mm512_slli_epi16(a, to - from) : _mm512_srli_epi16(a, from - to);
  return vb_and(moved, vb_all(((1 << bits) - 1) << to));
#endif
}

/* For each group 32 bytes, `stride` apart. */
INLINE vb vb_groups(const uint8_t *p, int stride) {
  __m512i first = _mm512_castsi256_si512(_mm256_loadu_si256((const void *)p));
  return _mm512_inserti64x4(first, _mm256_loadu_si256((const void *)(p + stride)), 1);
}

/* For each group 16 bytes, `stride` apart: their lower halves, then their upper halves. */
INLINE vb vb_nibbles(const uint8_t *p, int stride) {
  __m512i raw = _mm512_broadcast_i32x4(_mm_loadu_si128((const void *)p));
  raw = _mm512_mask_broadcast_i32x4(raw, 0xff00, _mm_loadu_si128((const void *)(p + stride)));
  raw = _mm512_srlv_epi64(raw, _mm512_set_epi64(4, 4, 0, 0, 4, 4, 0, 0));
  return _mm512_and_si512(raw, _mm512_set1_epi8(15));
}

/* For each group a field of the same 32 bytes, which for the second begins `step` bits higher. */
INLINE vb vb_fields(const uint8_t *p, int from, int step, int bits, int to) {
  __m512i raw = _mm512_broadcast_i64x4(_mm256_loadu_si256((const void *)p));
  return vb_moved(raw, from, from + step, bits, to);
}

/* For each group a word, `stride` bytes apart: byte j is `bit` where bit j of the word is set. */
INLINE vb vb_of_bits(const uint8_t *p, int stride, int bit) {
  uint64_t low = *(const stored32 *)p, high = *(const stored32 *)(p + stride);
  return _mm512_maskz_set1_epi8(low | high << 32, (char)bit);
}

/* The bytes of `first` times the F16 number at p, and those of `second` times the one behind it. */
#define HAS_V8_TIMES_BYTES
INLINE void v8_times_bytes(v8 *a, v8 *b, const uint8_t *p, uint64_t first, uint64_t second) {
  const __m512i each = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
  __m128 halves = _mm_cvtph_ps(_mm_cvtsi32_si128((int)*(const stored32 *)p));
  __m512 factor = _mm512_permutexvar_ps(each, _mm512_castps128_ps512(halves));
  __m128i bytes = _mm_set_epi64x((int64_t)second, (int64_t)first);
  __m512 both = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes)), factor);
  *a = _mm512_castps512_ps256(both);
  *b = _mm512_extractf32x8_ps(both, 1);
}

/* The first halves of SPLIT_GROUPS groups, and the second halves. */
#define SPLIT_GROUPS 4
typedef struct {
  vb first, second;
} vb_split;

#define EIGHT(i) (i) + 7, (i) + 6, (i) + 5, (i) + 4, (i) + 3, (i) + 2, (i) + 1, (i)

/* 16 bytes each of SPLIT_GROUPS blocks, `stride` apart; stride is even and at most 24. */
INLINE vb vb_of_blocks(const uint8_t *p, int stride) {
  const int a = stride, b = 2 * a; /* where the second and the third block are */
#ifdef __AVX512VBMI__
  const vb which = _mm512_set_epi8(EIGHT(0), EIGHT(0), EIGHT(b + 8), EIGHT(b), EIGHT(a + 8),
                                   EIGHT(a), EIGHT(8), EIGHT(0));
  vb three = _mm512_permutexvar_epi8(which, vb_load(p));
#else
  const vb which = _mm512_set_epi16(EIGHT(0), EIGHT(b / 2), EIGHT(a / 2), EIGHT(0));
  vb three = _mm512_permutexvar_epi16(which, vb_load(p));
#endif
  return _mm512_inserti32x4(three, _mm_loadu_si128((const void *)(p + 3 * stride)), 3);
}

/* For each of SPLIT_GROUPS groups 16 bytes, `stride` apart: their lower and their upper halves. */
INLINE vb_split vb_split_nibbles(const uint8_t *p, int stride) {
  const vb raw = vb_of_blocks(p, stride);
  return (vb_split){vb_and(raw, vb_all(15)), vb_field(raw, 4, 4, 0)};
}

INLINE uint64_t word_of_each(const uint8_t *p, int stride) {
  const uint64_t low = *(const stored16 *)p | (uint32_t)*(const stored16 *)(p + stride) << 16;
  p += 2 * stride;
  const uint64_t high = *(const stored16 *)p | (uint32_t)*(const stored16 *)(p + stride) << 16;
  return low | high << 32;
}

/* For each of SPLIT_GROUPS groups a word, `stride` apart: byte j is `bit` where bit j is set. */
INLINE vb_split vb_split_bits(const uint8_t *p, int stride, int bit) {
  return (vb_split){_mm512_maskz_set1_epi8(word_of_each(p, stride), (char)bit),
                    _mm512_maskz_set1_epi8(word_of_each(p + 2, stride), (char)bit)};
}

typedef __m512 vsum;
INLINE vsum vsum_zero(void) { return _mm512_setzero_ps(); }
INLINE vsum vsum_add(vsum a, vsum b) { return _mm512_add_ps(a, b); }
INLINE float vsum_total(vsum a) { return _mm512_reduce_add_ps(a); }

/* Sums of four products u x each; u is at most 127 without VNNI, whose pairs would saturate. */
INLINE __m512i vb_products(vb u, vb x) {
#ifdef __AVX512VNNI__
  return _mm512_dpbusd_epi32(_mm512_setzero_si512(), u, x);
#else
  return _mm512_madd_epi16(_mm512_maddubs_epi16(u, x), _mm512_set1_epi16(1));
#endif
}

#ifdef __AVX512VNNI__
/* LANES integers. */
typedef __m512i vi;
INLINE vi vi_zero(void) { return _mm512_setzero_si512(); }
INLINE vi vi_load(const void *p) { return _mm512_loadu_si512(p); }
INLINE vf vf_of_vi(vi a) { return _mm512_cvtepi32_ps(a); }
/* Adds the products of the four bytes of each lane, unsigned, with the four signed ones at x. */
INLINE vi vi_dot4(vi sums, vi u, const int8_t *x) {
  return _mm512_dpbusd_epi32(sums, u, _mm512_set1_epi32((int)*(const stored32 *)x));
}
/* What makes signed bytes unsigned. */
#define DOT4_BIAS 128
#endif

/* sums += the dot products of groups g and g + 1, each times its scale. */
INLINE vsum vb_dot(vsum sums, vb u, vb x, v8 scales, int g) {
  const __m512i first = _mm512_set_epi32(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
  const __m512i spread = _mm512_add_epi32(first, _mm512_set1_epi32(g));
  __m512 scale = _mm512_permutexvar_ps(spread, _mm512_castps256_ps512(scales));
  return _mm512_fmadd_ps(_mm512_cvtepi32_ps(vb_products(u, x)), scale, sums);
}

/* Elements i to i + 3, four times each. */
INLINE __m512 quarters(v8 a, int i) {
  const __m512i first = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
  const __m512i spread = _mm512_add_epi32(first, _mm512_set1_epi32(i));
  return _mm512_permutexvar_ps(spread, _mm512_castps256_ps512(a));
}

/* The same of SPLIT_GROUPS groups from g on, for the halves of x. */
INLINE vsum vb_dot_split(vsum sums, vb_split u, vb first, vb second, v8 scales, int g) {
#ifdef __AVX512VNNI__
  __m512i dot = _mm512_dpbusd_epi32(vb_products(u.first, first), u.second, second);
#else
  /* Four products, of 31 * 127 at most, fit 16 bits. */
  __m512i pairs = _mm512_add_epi16(_mm512_maddubs_epi16(u.first, first),
                                   _mm512_maddubs_epi16(u.second, second));
  __m512i dot = _mm512_madd_epi16(pairs, _mm512_set1_epi16(1));
#endif
  return _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), quarters(scales, g), sums);
}

#ifdef __AVX512VNNI__
/*
 * sums += the dot products of the eight groups of a chunk, each times its scale. dots: what
 * vb_products says of two groups each, below 2^14: so sums of two of them fit 16 bits.
 */
#define HAS_DOTS_OF_CHUNK
INLINE vsum vb_dots_of_chunk(vsum sums, const vi dots[4], v8 scales) {
  const __m512i one = _mm512_set1_epi16(1);
  const __m512i groups = _mm512_set_epi32(7, 5, 3, 1, 7, 5, 3, 1, 6, 4, 2, 0, 6, 4, 2, 0);
  __m512i low = _mm512_madd_epi16(_mm512_packs_epi32(dots[0], dots[1]), one);
  __m512i high = _mm512_madd_epi16(_mm512_packs_epi32(dots[2], dots[3]), one);
  __m512i all = _mm512_madd_epi16(_mm512_packs_epi32(low, high), one);
  __m512 scale = _mm512_permutexvar_ps(groups, _mm512_castps256_ps512(scales));
  return _mm512_fmadd_ps(_mm512_cvtepi32_ps(all), scale, sums);
}
#endif

/* The same of halves h to h + 3 of groups. */
INLINE vsum vb_dot_halves(vsum sums, vb u, vb x, v8 scales, int h) {
  return _mm512_fmadd_ps(_mm512_cvtepi32_ps(vb_products(u, x)), quarters(scales, h), sums);
}

/* As vb_dot, for q + SIGNED_BIAS in place of u. */
INLINE vsum vb_dot_signed(vsum sums, vb q, vb x, v8 scales, int g) {
#ifdef __AVX512VNNI__
#define SIGNED_BIAS 128
  return vb_dot(sums, _mm512_xor_si512(q, _mm512_set1_epi8(-128)), x, scales, g);
#else
#define SIGNED_BIAS 0
  /* |q| times x with the sign of q: at most 128 * 127 * 2 fits 16 bits. */
  __m512i signs = _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(q), _mm512_setzero_si512(), x);
  return vb_dot(sums, _mm512_abs_epi8(q), signs, scales, g);
#endif
}

#else

#define VB_GROUPS 1
typedef __m256i vb;

INLINE vb vb_all(int x) { return _mm256_set1_epi8((char)x); }
INLINE vb vb_load(const void *p) { return _mm256_loadu_si256(p); }
INLINE void vb_store(void *p, vb a) { _mm256_storeu_si256(p, a); }
INLINE vb vb_and(vb a, vb b) { return _mm256_and_si256(a, b); }
INLINE vb vb_or(vb a, vb b) { return _mm256_or_si256(a, b); }
/* `bits` bits of each byte, from bit `from` on, moved to bit `to`. */
INLINE vb vb_field(vb a, int from, int bits, int to) {
  const vb moved = from < to ? _mm256_slli_epi16(a, to - from) : _mm256_srli_epi16(a, from - to);
  return vb_and(moved, vb_all(((1 << bits) - 1) << to));
}

/* There is one group: `stride` and `step` say what they say where there are two. */
#define vb_groups(p, stride) vb_load(p)
#define vb_fields(p, from, step, bits, to) vb_field(vb_load(p), from, bits, to)
#define vb_nibbles(p, stride) nibbles(p)
#define vb_of_bits(p, stride, bit) of_bits(p, bit)

/* 16 bytes: their lower halves, then their upper halves. */
INLINE vb nibbles(const uint8_t *p) {
  __m128i raw = _mm_loadu_si128((const void *)p);
  __m256i both = _mm256_set_m128i(_mm_srli_epi16(raw, 4), raw);
  return _mm256_and_si256(both, _mm256_set1_epi8(15));
}

/* Byte j is `bit` where bit j of the word at p is set, else 0. */
INLINE vb of_bits(const uint8_t *p, int bit) {
  const __m256i which = _mm256_set_epi64x(
      0x0303030303030303, 0x0202020202020202, 0x0101010101010101, 0);
  const __m256i mask = _mm256_set1_epi64x((long long)0x8040201008040201ull);
  __m256i word = _mm256_set1_epi32((int)*(const stored32 *)p);
  __m256i spread = _mm256_shuffle_epi8(word, which);
  __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(spread, mask), mask);
  return _mm256_and_si256(set, _mm256_set1_epi8((char)bit));
}

/* The first halves of SPLIT_GROUPS groups, and the second halves. */
#define SPLIT_GROUPS 2
typedef struct {
  vb first, second;
} vb_split;

/* For each of SPLIT_GROUPS groups 16 bytes, `stride` apart: their lower and their upper halves. */
INLINE vb_split vb_split_nibbles(const uint8_t *p, int stride) {
  const vb raw = _mm256_loadu2_m128i((const void *)(p + stride), (const void *)p);
  return (vb_split){vb_and(raw, vb_all(15)), vb_field(raw, 4, 4, 0)};
}

/* For each of SPLIT_GROUPS groups a word, `stride` apart: byte j is `bit` where bit j is set. */
INLINE vb_split vb_split_bits(const uint8_t *p, int stride, int bit) {
  const vb one = of_bits(p, bit), other = of_bits(p + stride, bit);
  return (vb_split){_mm256_permute2x128_si256(one, other, 0x20),
                    _mm256_permute2x128_si256(one, other, 0x31)};
}

typedef __m256 vsum;
INLINE vsum vsum_zero(void) { return _mm256_setzero_ps(); }
INLINE vsum vsum_add(vsum a, vsum b) { return _mm256_add_ps(a, b); }
INLINE float vsum_total(vsum a) { return v8_total(a); }

/* sums + u . x * scale. u is at most 127: 127 * 127 * 2 fits the 16 bits of a sum of two. */
INLINE vsum vb_scaled(vsum sums, vb u, vb x, __m256 scale) {
  __m256i dot = _mm256_madd_epi16(_mm256_maddubs_epi16(u, x), _mm256_set1_epi16(1));
  return _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), scale, sums);
}

/* sums += the dot product of group g times its scale. */
INLINE vsum vb_dot(vsum sums, vb u, vb x, v8 scales, int g) {
  return vb_scaled(sums, u, x, _mm256_permutevar8x32_ps(scales, _mm256_set1_epi32(g)));
}

/* Elements i and i + 1, four times each. */
INLINE __m256 halves(v8 a, int i) {
  return _mm256_permutevar8x32_ps(a, _mm256_set_epi32(i + 1, i + 1, i + 1, i + 1, i, i, i, i));
}

/* The same of SPLIT_GROUPS groups from g on, for the halves of x. */
INLINE vsum vb_dot_split(vsum sums, vb_split u, vb first, vb second, v8 scales, int g) {
  /* Four products, of 31 * 127 at most, fit 16 bits. */
  __m256i pairs = _mm256_add_epi16(_mm256_maddubs_epi16(u.first, first),
                                   _mm256_maddubs_epi16(u.second, second));
  __m256i dot = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
  return _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), halves(scales, g), sums);
}

/* The same of halves h and h + 1 of groups. */
INLINE vsum vb_dot_halves(vsum sums, vb u, vb x, v8 scales, int h) {
  return vb_scaled(sums, u, x, halves(scales, h));
}

/* As vb_dot, for q + SIGNED_BIAS in place of u: |q| times x with the sign of q. */
#define SIGNED_BIAS 0
INLINE vsum vb_dot_signed(vsum sums, vb q, vb x, v8 scales, int g) {
  return vb_dot(sums, _mm256_abs_epi8(q), _mm256_sign_epi8(x, q), scales, g);
}

#endif

#elif defined(__ARM_NEON)

/* Eight floats. */
typedef struct {
  float32x4_t low, high;
} v8;
INLINE v8 v8_zero(void) { return (v8){vdupq_n_f32(0), vdupq_n_f32(0)}; }
INLINE v8 v8_all(float x) { return (v8){vdupq_n_f32(x), vdupq_n_f32(x)}; }
INLINE v8 v8_load(const float *p) { return (v8){vld1q_f32(p), vld1q_f32(p + 4)}; }
INLINE void v8_store(float *p, v8 a) {
  vst1q_f32(p, a.low);
  vst1q_f32(p + 4, a.high);
}
INLINE v8 v8_mul(v8 a, v8 b) { return (v8){vmulq_f32(a.low, b.low), vmulq_f32(a.high, b.high)}; }
/* a * b + c */
INLINE v8 v8_fma(v8 a, v8 b, v8 c) {
  return (v8){vfmaq_f32(c.low, a.low, b.low), vfmaq_f32(c.high, a.high, b.high)};
}
/* The eight bytes of a word. */
INLINE v8 v8_of_signed(uint64_t word) {
  int16x8_t words = vmovl_s8(vcreate_s8(word));
  return (v8){vcvtq_f32_s32(vmovl_s16(vget_low_s16(words))),
              vcvtq_f32_s32(vmovl_high_s16(words))};
}
INLINE v8 v8_of_unsigned(uint64_t word) {
  uint16x8_t words = vmovl_u8(vcreate_u8(word));
  return (v8){vcvtq_f32_u32(vmovl_u16(vget_low_u16(words))),
              vcvtq_f32_u32(vmovl_high_u16(words))};
}
/* The first four elements twice each (part 0), or the others (part 1). */
INLINE v8 v8_twice(v8 a, int part) {
  float32x4_t four = part ? a.high : a.low;
  return (v8){vzip1q_f32(four, four), vzip2q_f32(four, four)};
}
INLINE float v8_total(v8 a) { return vaddvq_f32(vaddq_f32(a.low, a.high)); }
/* Element i, a constant. */
#define v8_element(a, i) ((i) < 4 ? (a).low[(i) & 3] : (a).high[(i) & 3])

/* Eight F16 numbers, `stride` bytes apart. */
INLINE v8 v8_of_halves(const uint8_t *p, int stride) {
  uint16x8_t h = vdupq_n_u16(0);
  UNROLL
  for (int i = 0; i < 8; i++) {
    h[i] = *(const stored16 *)(p + i * stride);
  }
  float16x8_t halves = vreinterpretq_f16_u16(h);
  return (v8){vcvt_f32_f16(vget_low_f16(halves)), vcvt_high_f32_f16(halves)};
}

/* Rounds 16 floats to bytes and returns their sum. */
INLINE int bytes_round16(int8_t *out, const float *x, float factor) {
  int32x4_t sums = vdupq_n_s32(0);
  UNROLL
  for (int i = 0; i < 16; i += 8) {
    int32x4_t a = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i), factor));
    int32x4_t b = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i + 4), factor));
    sums = vaddq_s32(sums, vaddq_s32(a, b));
    vst1_s8(out + i, vmovn_s16(vcombine_s16(vmovn_s32(a), vmovn_s32(b))));
  }
  return vaddvq_s32(sums);
}

#define VB_GROUPS 1
typedef struct {
  uint8x16_t low, high;
} vb;

INLINE vb vb_all(int x) { return (vb){vdupq_n_u8((uint8_t)x), vdupq_n_u8((uint8_t)x)}; }
INLINE vb vb_load(const void *p) {
  return (vb){vld1q_u8(p), vld1q_u8((const uint8_t *)p + 16)};
}
INLINE void vb_store(void *p, vb a) {
  vst1q_u8(p, a.low);
  vst1q_u8((uint8_t *)p + 16, a.high);
}
INLINE vb vb_and(vb a, vb b) { return (vb){vandq_u8(a.low, b.low), vandq_u8(a.high, b.high)}; }
INLINE vb vb_or(vb a, vb b) { return (vb){vorrq_u8(a.low, b.low), vorrq_u8(a.high, b.high)}; }
/* `bits` bits of each byte, from bit `from` on, moved to bit `to`. */
INLINE vb vb_field(vb a, int from, int bits, int to) {
  const int8x16_t left = vdupq_n_s8((int8_t)(to - from));
  const vb moved = {vshlq_u8(a.low, left), vshlq_u8(a.high, left)};
  return vb_and(moved, vb_all(((1 << bits) - 1) << to));
}

/* There is one group: `stride` and `step` say what they say where there are two. */
#define vb_groups(p, stride) vb_load(p)
#define vb_fields(p, from, step, bits, to) vb_field(vb_load(p), from, bits, to)
#define vb_nibbles(p, stride) nibbles(p)
#define vb_of_bits(p, stride, bit) of_bits(p, bit)

/* 16 bytes: their lower halves, then their upper halves. */
INLINE vb nibbles(const uint8_t *p) {
  uint8x16_t raw = vld1q_u8(p);
  return (vb){vandq_u8(raw, vdupq_n_u8(15)), vshrq_n_u8(raw, 4)};
}

/* Byte j is `bit` where bit j of the word at p is set, else 0. */
INLINE vb of_bits(const uint8_t *p, int bit) {
  const uint8x16_t mask = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201ull));
  const uint8x16_t which = vcombine_u8(vdup_n_u8(0), vdup_n_u8(1));
  uint8x16_t bits = vreinterpretq_u8_u32(vdupq_n_u32(*(const stored32 *)p));
  uint8x16_t b = vdupq_n_u8((uint8_t)bit);
  uint8x16_t low = vqtbl1q_u8(bits, which);
  uint8x16_t high = vqtbl1q_u8(bits, vaddq_u8(which, vdupq_n_u8(2)));
  return (vb){vandq_u8(vtstq_u8(low, mask), b), vandq_u8(vtstq_u8(high, mask), b)};
}

typedef float32x4_t vsum;
INLINE vsum vsum_zero(void) { return vdupq_n_f32(0); }
INLINE vsum vsum_add(vsum a, vsum b) { return vaddq_f32(a, b); }
INLINE float vsum_total(vsum a) { return vaddvq_f32(a); }

/* Sums of the products of 16 signed bytes, in some order over the lanes. */
INLINE int32x4_t dot16(int32x4_t sums, uint8x16_t a, uint8x16_t b) {
  int8x16_t q = vreinterpretq_s8_u8(a);
  int8x16_t x = vreinterpretq_s8_u8(b);
#ifdef __ARM_FEATURE_DOTPROD
  return vdotq_s32(sums, q, x);
#else
  /* Two products are at most 128 * 127 * 2 = 32512 and fit 16 bits. */
  int16x8_t pairs = vmull_s8(vget_low_s8(q), vget_low_s8(x));
  return vpadalq_s16(sums, vmlal_high_s8(pairs, q, x));
#endif
}

#ifdef __ARM_FEATURE_DOTPROD
/* LANES integers. */
typedef int32x4_t vi;
INLINE vi vi_zero(void) { return vdupq_n_s32(0); }
INLINE vi vi_load(const void *p) { return vld1q_s32(p); }
INLINE vf vf_of_vi(vi a) { return vcvtq_f32_s32(a); }
/* Adds the products of the four bytes of each lane with the four at x. */
INLINE vi vi_dot4(vi sums, vi q, const int8_t *x) {
  int32x4_t four = vdupq_n_s32((int32_t)*(const stored32 *)x);
  return vdotq_s32(sums, vreinterpretq_s8_s32(q), vreinterpretq_s8_s32(four));
}
/* Signed bytes will do. */
#define DOT4_BIAS 0
#endif

/* sums += the dot product of group g times its scale. */
INLINE vsum vb_dot(vsum sums, vb q, vb x, v8 scales, int g) {
  int32x4_t dot = dot16(dot16(vdupq_n_s32(0), q.low, x.low), q.high, x.high);
  return vfmaq_n_f32(sums, vcvtq_f32_s32(dot), v8_element(scales, g));
}

/* The same of halves h and h + 1 of groups. */
INLINE vsum vb_dot_halves(vsum sums, vb q, vb x, v8 scales, int h) {
  float32x4_t low = vcvtq_f32_s32(dot16(vdupq_n_s32(0), q.low, x.low));
  float32x4_t high = vcvtq_f32_s32(dot16(vdupq_n_s32(0), q.high, x.high));
  sums = vfmaq_n_f32(sums, low, v8_element(scales, h));
  return vfmaq_n_f32(sums, high, v8_element(scales, h + 1));
}

/* Bytes are signed here anyway. */
#define SIGNED_BIAS 0
#define vb_dot_signed vb_dot

#endif

#endif
