/* What training needs besides products: roots, a logarithm, and which weights dropout keeps. */
#ifndef LLAMA_GRAD_FUNCTIONS_H
#define LLAMA_GRAD_FUNCTIONS_H

#include "simd.h"

INLINE vf vf_sqrt(vf a) {
#if defined(__AVX512F__) && LANES == 16
  return _mm512_sqrt_ps(a);
#elif defined(__AVX2__)
  return _mm256_sqrt_ps(a);
#else
  return vsqrtq_f32(a);
#endif
}

/* Natural logarithm of a positive number, relative error below 1e-9. */
static inline double natural_log(float x) {
  union {
    float value;
    uint32_t bits;
  } u = {x};
  if (u.bits >= 0x7f800000) {
    return x; /* infinite, or NaN */
  }
  int exponent = (int)(u.bits >> 23) - 127;
  u.bits = (u.bits & 0x7fffff) | 0x3f800000;
  double m = u.value;
  if (m > 1.4) {
    m /= 2;
    exponent++;
  }
  /* ln m = 2 artanh t */
  const double t = (m - 1) / (m + 1), s = t * t;
  double series = 1.0 / 15;
  for (int n = 13; n >= 1; n -= 2) {
    series = series * s + 1.0 / n;
  }
  return exponent * 0.69314718055994530942 + 2 * t * series;
}

/* As AttentionDropout.mix. */
INLINE uint32_t mix(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x85ebca6bu;
  x = (x ^ (x >> 13)) * 0xc2b2ae35u;
  return x ^ (x >> 16);
}

#define GOLDEN 0x9e3779b9u

/* As AttentionDropout.queryHash. */
INLINE uint32_t query_hash(uint32_t first_seed, uint32_t second_seed, uint32_t layer, uint32_t head,
                           uint32_t row) {
  uint32_t hash = mix(first_seed + GOLDEN);
  hash = mix(hash ^ second_seed);
  hash = mix(hash + layer * GOLDEN);
  hash = mix(hash ^ (head * GOLDEN));
  return mix(hash + row * GOLDEN);
}

/* What the weights of consecutive keys are multiplied with: 0, or `factor` where they are kept. */
INLINE void dropout_factors(float *to, uint32_t query_hash, uint32_t first_key, int64_t count,
                            uint32_t threshold, float factor) {
  for (int64_t j = 0; j < count; j++) {
    uint32_t number = mix(query_hash ^ ((first_key + (uint32_t)j) * GOLDEN)) >> 8;
    to[j] = number >= threshold ? factor : 0;
  }
}

#endif
