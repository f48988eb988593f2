/*
 * What the kernels need of an instruction set, under one name each: a vector of LANES floats.
 * Each file of kernels is compiled once per instruction set.
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

/*
 * How far ahead of their use weights are asked for, in bytes: into the second-level cache, which has
 * more requests in flight than the first, and from there into the first.
 */
#define FAR 4096
#define NEAR 1024

/* Stored numbers lie at any address and alias anything. */
typedef uint16_t __attribute__((aligned(1), may_alias)) stored16;
typedef uint32_t __attribute__((aligned(1), may_alias)) stored32;
typedef uint64_t __attribute__((aligned(1), may_alias)) stored64;
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

#if defined(__AVX512F__)

#define LANES 16
typedef __m512 vf;

INLINE vf vf_zero(void) { return _mm512_setzero_ps(); }
INLINE vf vf_all(float x) { return _mm512_set1_ps(x); }
INLINE vf vf_load(const void *p) { return _mm512_loadu_ps(p); }
INLINE void vf_store(float *p, vf a) { _mm512_storeu_ps(p, a); }
INLINE vf vf_add(vf a, vf b) { return _mm512_add_ps(a, b); }
INLINE vf vf_sub(vf a, vf b) { return _mm512_sub_ps(a, b); }
INLINE vf vf_mul(vf a, vf b) { return _mm512_mul_ps(a, b); }
INLINE vf vf_div(vf a, vf b) { return _mm512_div_ps(a, b); }
INLINE vf vf_max(vf a, vf b) { return _mm512_max_ps(a, b); }
INLINE vf vf_min(vf a, vf b) { return _mm512_min_ps(a, b); }
/* a * b + c */
INLINE vf vf_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }
INLINE vf vf_abs(vf a) { return _mm512_abs_ps(a); }
INLINE float vf_sum(vf a) { return _mm512_reduce_add_ps(a); }
INLINE float vf_largest(vf a) { return _mm512_reduce_max_ps(a); }
INLINE vf vf_load_f16(const void *p) { return _mm512_cvtph_ps(_mm256_loadu_si256(p)); }
INLINE vf vf_load_bf16(const void *p) {
  __m512i bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256(p));
  return _mm512_castsi512_ps(_mm512_slli_epi32(bits, 16));
}
/* Signed bytes. */
INLINE vf vf_of_bytes(const int8_t *p) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)p)));
}

/* 2^n for the n in the low bits of 1.5 * 2^23 + n. */
INLINE vf vf_power_of_two(vf rounded) {
  __m512i n = _mm512_slli_epi32(_mm512_castps_si512(rounded), 23);
  return _mm512_castsi512_ps(_mm512_add_epi32(n, _mm512_set1_epi32(0x3f800000)));
}

#else

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
/* Signed bytes. */
INLINE vf vf_of_bytes(const int8_t *p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)p)));
}

/* 2^n for the n in the low bits of 1.5 * 2^23 + n. */
INLINE vf vf_power_of_two(vf rounded) {
  __m256i n = _mm256_slli_epi32(_mm256_castps_si256(rounded), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(n, _mm256_set1_epi32(0x3f800000)));
}

#endif

INLINE float float_of_f16(uint16_t bits) { return _cvtsh_ss(bits); }

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

/* Signed bytes. */
INLINE vf vf_of_bytes(const int8_t *p) {
  int8x8_t bytes = vreinterpret_s8_u32(vdup_n_u32(*(const stored32 *)p));
  return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(bytes))));
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
