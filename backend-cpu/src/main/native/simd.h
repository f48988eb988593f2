/*
 * What the kernels need of an instruction set, under one name each: a vector of LANES floats, and
 * products of 32 signed bytes. Each file of kernels is compiled once per instruction set.
 *
 * Freestanding: nothing here or in the kernels calls into libc, so that one library serves every
 * Linux (glibc, musl, Android) of an architecture.
 */
#ifndef LLAMA_SIMD_H
#define LLAMA_SIMD_H

#include <stdint.h>

#include "kernels.h"

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

/* Stored numbers lie at any address and alias anything. */
typedef uint16_t __attribute__((aligned(1), may_alias)) stored16;
typedef uint32_t __attribute__((aligned(1), may_alias)) stored32;
typedef float __attribute__((aligned(1), may_alias)) stored_float;

INLINE float float_of(uint32_t bits) {
  union {
    uint32_t bits;
    float value;
  } u = {bits};
  return u.value;
}

#if defined(__AVX2__)

#include <immintrin.h>

#define LANES 8
typedef __m256 vf;

INLINE vf vf_zero(void) { return _mm256_setzero_ps(); }
INLINE vf vf_all(float x) { return _mm256_set1_ps(x); }
INLINE vf vf_load(const void *p) { return _mm256_loadu_ps(p); }
INLINE void vf_store(float *p, vf a) { _mm256_storeu_ps(p, a); }
INLINE vf vf_add(vf a, vf b) { return _mm256_add_ps(a, b); }
INLINE vf vf_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
INLINE vf vf_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
INLINE vf vf_div(vf a, vf b) { return _mm256_div_ps(a, b); }
INLINE vf vf_max(vf a, vf b) { return _mm256_max_ps(a, b); }
INLINE vf vf_min(vf a, vf b) { return _mm256_min_ps(a, b); }
/* a * b + c */
INLINE vf vf_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
INLINE vf vf_abs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }

INLINE float vf_sum(vf a) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

INLINE float vf_largest(vf a) {
  __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
  s = _mm_max_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
}

INLINE vf vf_load_f16(const void *p) { return _mm256_cvtph_ps(_mm_loadu_si128(p)); }

INLINE vf vf_load_bf16(const void *p) {
  __m256i bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(p));
  return _mm256_castsi256_ps(_mm256_slli_epi32(bits, 16));
}

INLINE float float_of_f16(uint16_t bits) { return _cvtsh_ss(bits); }

/* 2^n for the n in the low bits of 1.5 * 2^23 + n. */
INLINE vf vf_power_of_two(vf rounded) {
  __m256i n = _mm256_slli_epi32(_mm256_castps_si256(rounded), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(n, _mm256_set1_epi32(0x3f800000)));
}

typedef __m256i bytes32;

INLINE bytes32 bytes_load(const void *p) { return _mm256_loadu_si256(p); }
INLINE bytes32 bytes_all(int x) { return _mm256_set1_epi8((char)x); }
INLINE bytes32 bytes_and(bytes32 a, bytes32 b) { return _mm256_and_si256(a, b); }
INLINE bytes32 bytes_or(bytes32 a, bytes32 b) { return _mm256_or_si256(a, b); }
INLINE bytes32 bytes_sub(bytes32 a, bytes32 b) { return _mm256_sub_epi8(a, b); }
/* Bits move within 16-bit words; what crosses between bytes has to be masked off. */
#define bytes_right(a, n) _mm256_srli_epi16(a, n)
#define bytes_left(a, n) _mm256_slli_epi16(a, n)

/* 16 stored bytes: their lower halves, then their upper halves. */
INLINE bytes32 bytes_nibbles(const void *p) {
  __m128i raw = _mm_loadu_si128(p);
  __m256i both = _mm256_set_m128i(_mm_srli_epi16(raw, 4), raw);
  return _mm256_and_si256(both, _mm256_set1_epi8(15));
}

/* Byte j is `bit` where bit j of the word is set, else 0. */
INLINE bytes32 bytes_of_bits(uint32_t word, int bit) {
  const __m256i which = _mm256_set_epi64x(
      0x0303030303030303, 0x0202020202020202, 0x0101010101010101, 0);
  const __m256i mask = _mm256_set1_epi64x((long long)0x8040201008040201ull);
  __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32((int)word), which);
  __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(spread, mask), mask);
  return _mm256_and_si256(set, _mm256_set1_epi8((char)bit));
}

/*
 * Sums of products, in some order over the lanes. `u` is at most 127, so a sum of two products is
 * at most 127 * 127 * 2 = 32258 and the 16-bit sums of vpmaddubsw do not saturate.
 */
INLINE vf bytes_dot_unsigned(bytes32 u, bytes32 x) {
  __m256i pairs = _mm256_maddubs_epi16(u, x);
  return _mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

/* q is -128 to 127, x is -127 to 127: |q| times x with the sign of q, again within 16 bits. */
INLINE __m256i bytes_pairs_signed(bytes32 q, bytes32 x) {
  return _mm256_maddubs_epi16(_mm256_abs_epi8(q), _mm256_sign_epi8(x, q));
}

INLINE vf bytes_dot_signed(bytes32 q, bytes32 x) {
  __m256i pairs = bytes_pairs_signed(q, x);
  return _mm256_cvtepi32_ps(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

/* The first 16 products times the first scale, the others times the second. */
typedef __m256i scales2;
INLINE scales2 scales_pair(int first, int second) {
  return _mm256_set_m128i(_mm_set1_epi16((short)second), _mm_set1_epi16((short)first));
}
INLINE vf bytes_dot_scaled(bytes32 q, bytes32 x, scales2 s) {
  return _mm256_cvtepi32_ps(_mm256_madd_epi16(bytes_pairs_signed(q, x), s));
}

/* Rounds 32 floats to bytes and returns their sum. */
INLINE int bytes_round(int8_t *out, const float *x, float factor) {
  __m256 f = _mm256_set1_ps(factor);
  __m256i a = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), f));
  __m256i b = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8), f));
  __m256i c = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 16), f));
  __m256i d = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 24), f));
  __m256i sums = _mm256_add_epi32(_mm256_add_epi32(a, b), _mm256_add_epi32(c, d));
  __m256i packed = _mm256_packs_epi16(_mm256_packs_epi32(a, b), _mm256_packs_epi32(c, d));
  /* Packing works within halves of the register: four bytes of a, b, c, d each, twice. */
  const __m256i order = _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0);
  _mm256_storeu_si256((void *)out, _mm256_permutevar8x32_epi32(packed, order));
  __m128i s = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
  s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

#elif defined(__ARM_NEON)

#include <arm_neon.h>

#define LANES 4
typedef float32x4_t vf;

INLINE vf vf_zero(void) { return vdupq_n_f32(0); }
INLINE vf vf_all(float x) { return vdupq_n_f32(x); }
INLINE vf vf_load(const void *p) { return vreinterpretq_f32_u8(vld1q_u8(p)); }
INLINE void vf_store(float *p, vf a) { vst1q_f32(p, a); }
INLINE vf vf_add(vf a, vf b) { return vaddq_f32(a, b); }
INLINE vf vf_sub(vf a, vf b) { return vsubq_f32(a, b); }
INLINE vf vf_mul(vf a, vf b) { return vmulq_f32(a, b); }
INLINE vf vf_div(vf a, vf b) { return vdivq_f32(a, b); }
INLINE vf vf_max(vf a, vf b) { return vmaxq_f32(a, b); }
INLINE vf vf_min(vf a, vf b) { return vminq_f32(a, b); }
/* a * b + c */
INLINE vf vf_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
INLINE vf vf_abs(vf a) { return vabsq_f32(a); }
INLINE float vf_sum(vf a) { return vaddvq_f32(a); }
INLINE float vf_largest(vf a) { return vmaxvq_f32(a); }

INLINE vf vf_load_f16(const void *p) { return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p))); }
INLINE vf vf_load_bf16(const void *p) {
  return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8(p)), 16));
}

INLINE float float_of_f16(uint16_t bits) {
  union {
    uint16_t bits;
    __fp16 value;
  } u = {bits};
  return u.value;
}

/* 2^n for the n in the low bits of 1.5 * 2^23 + n. */
INLINE vf vf_power_of_two(vf rounded) {
  int32x4_t n = vshlq_n_s32(vreinterpretq_s32_f32(rounded), 23);
  return vreinterpretq_f32_s32(vaddq_s32(n, vdupq_n_s32(0x3f800000)));
}

typedef struct {
  uint8x16_t low, high;
} bytes32;

INLINE bytes32 bytes_load(const void *p) {
  return (bytes32){vld1q_u8(p), vld1q_u8((const uint8_t *)p + 16)};
}
INLINE bytes32 bytes_all(int x) {
  return (bytes32){vdupq_n_u8((uint8_t)x), vdupq_n_u8((uint8_t)x)};
}
INLINE bytes32 bytes_and(bytes32 a, bytes32 b) {
  return (bytes32){vandq_u8(a.low, b.low), vandq_u8(a.high, b.high)};
}
INLINE bytes32 bytes_or(bytes32 a, bytes32 b) {
  return (bytes32){vorrq_u8(a.low, b.low), vorrq_u8(a.high, b.high)};
}
INLINE bytes32 bytes_sub(bytes32 a, bytes32 b) {
  return (bytes32){vsubq_u8(a.low, b.low), vsubq_u8(a.high, b.high)};
}
INLINE bytes32 bytes_shifted(bytes32 a, int left) {
  int8x16_t by = vdupq_n_s8((int8_t)left);
  return (bytes32){vshlq_u8(a.low, by), vshlq_u8(a.high, by)};
}
#define bytes_right(a, n) bytes_shifted(a, -(n))
#define bytes_left(a, n) bytes_shifted(a, n)

/* 16 stored bytes: their lower halves, then their upper halves. */
INLINE bytes32 bytes_nibbles(const void *p) {
  uint8x16_t raw = vld1q_u8(p);
  return (bytes32){vandq_u8(raw, vdupq_n_u8(15)), vshrq_n_u8(raw, 4)};
}

/* Byte j is `bit` where bit j of the word is set, else 0. */
INLINE bytes32 bytes_of_bits(uint32_t word, int bit) {
  const uint8x16_t mask = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201ull));
  const uint8x16_t which = vcombine_u8(vdup_n_u8(0), vdup_n_u8(1));
  uint8x16_t bits = vreinterpretq_u8_u32(vdupq_n_u32(word));
  uint8x16_t b = vdupq_n_u8((uint8_t)bit);
  uint8x16_t low = vqtbl1q_u8(bits, which);
  uint8x16_t high = vqtbl1q_u8(bits, vaddq_u8(which, vdupq_n_u8(2)));
  return (bytes32){vandq_u8(vtstq_u8(low, mask), b), vandq_u8(vtstq_u8(high, mask), b)};
}

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

INLINE vf bytes_dot_signed(bytes32 q, bytes32 x) {
  return vcvtq_f32_s32(dot16(dot16(vdupq_n_s32(0), q.low, x.low), q.high, x.high));
}
#define bytes_dot_unsigned bytes_dot_signed

/* The first 16 products times the first scale, the others times the second. */
typedef struct {
  int first, second;
} scales2;
INLINE scales2 scales_pair(int first, int second) { return (scales2){first, second}; }
INLINE vf bytes_dot_scaled(bytes32 q, bytes32 x, scales2 s) {
  int32x4_t low = dot16(vdupq_n_s32(0), q.low, x.low);
  int32x4_t high = dot16(vdupq_n_s32(0), q.high, x.high);
  return vcvtq_f32_s32(vmlaq_n_s32(vmulq_n_s32(low, s.first), high, s.second));
}

/* Rounds 32 floats to bytes and returns their sum. */
INLINE int bytes_round(int8_t *out, const float *x, float factor) {
  int32x4_t sums = vdupq_n_s32(0);
  UNROLL
  for (int i = 0; i < 32; i += 8) {
    int32x4_t a = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i), factor));
    int32x4_t b = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + i + 4), factor));
    sums = vaddq_s32(sums, vaddq_s32(a, b));
    vst1_s8(out + i, vmovn_s16(vcombine_s16(vmovn_s32(a), vmovn_s32(b))));
  }
  return vaddvq_s32(sums);
}

#else
#error "no instruction set that the kernels know"
#endif

/*
 * Exponential function, relative error about 2 ulp; x is clamped to [-87.3, 88]. Cody and Waite's
 * reduction, and the polynomial of Cephes' expf for (exp(r) - 1 - r) / r^2, |r| <= ln 2 / 2.
 */
INLINE vf vf_exp(vf x) {
  const vf round = vf_all(12582912.0f); /* 1.5 * 2^23: adding it rounds to an integer */
  x = vf_max(vf_all(-87.3f), vf_min(vf_all(88.0f), x));
  vf rounded = vf_fma(x, vf_all(1.44269504f), round);
  vf n = vf_sub(rounded, round);
  vf r = vf_fma(n, vf_all(-0.693359375f), x);
  r = vf_fma(n, vf_all(2.12194440e-4f), r);
  vf p = vf_fma(vf_all(1.9875691500e-4f), r, vf_all(1.3981999507e-3f));
  p = vf_fma(p, r, vf_all(8.3334519073e-3f));
  p = vf_fma(p, r, vf_all(4.1665795894e-2f));
  p = vf_fma(p, r, vf_all(1.6666665459e-1f));
  p = vf_fma(p, r, vf_all(5.0000001201e-1f));
  vf e = vf_add(vf_fma(vf_mul(p, r), r, r), vf_all(1.0f));
  return vf_mul(e, vf_power_of_two(rounded));
}

/* Formats that store each element by itself: F32, F16, BF16. */
INLINE int64_t plain_bytes(enum format type) { return type == F32 ? 4 : 2; }

INLINE vf plain_load(enum format type, const uint8_t *p) {
  return type == F32 ? vf_load(p) : type == F16 ? vf_load_f16(p) : vf_load_bf16(p);
}

INLINE float plain_one(enum format type, const uint8_t *p) {
  if (type == F32) {
    return *(const stored_float *)p;
  }
  uint16_t bits = *(const stored16 *)p;
  return type == F16 ? float_of_f16(bits) : float_of((uint32_t)bits << 16);
}

/* To nearest, ties to even. */
INLINE uint16_t f16_of_float(float x) {
#if defined(__AVX2__)
  return _cvtss_sh(x, _MM_FROUND_TO_NEAREST_INT);
#else
  union {
    __fp16 value;
    uint16_t bits;
  } u = {(__fp16)x};
  return u.bits;
#endif
}

#endif
