/*
 * The arithmetic of dev.llama.spi.Draw, to the last bit: weights are integers, made with integer
 * instructions, so that neither the order of sums nor the contraction of products can change them.
 */
#pragma once

#include "common.cuh"

typedef unsigned long long u64;

/* One row of the tensor of draws. */
struct Draw {
  float temperature;
  int top_k;
  float top_p;
  float min_p;
  double log_min_p;
  double uniform;
};

/* 2^40 exp(x) for x up to 0. */
DEVICE u64 draw_weight(float x) {
  if (!(x > -28.0f)) {
    return 0;
  }
  int exponent = (int)(x * (-1.442695041f * (1 << 25)));
  int fraction = (exponent & ((1 << 25) - 1)) << 5;
  int power = 117472;
  power = -1370086 + (int)((long long)power * fraction >> 30);
  power = 10287177 + (int)((long long)power * fraction >> 30);
  power = -59583624 + (int)((long long)power * fraction >> 30);
  power = 257939158 + (int)((long long)power * fraction >> 30);
  power = -744261009 + (int)((long long)power * fraction >> 30);
  power = (1 << 30) + (int)((long long)power * fraction >> 30);
  return ((u64)power << 10) >> (exponent >> 25);
}

DEVICE u64 draw_needed(const Draw& draw, u64 sum) {
  return (u64)ceil((double)draw.top_p * (double)sum);
}

DEVICE u64 draw_point(const Draw& draw, u64 sum) {
  return min((u64)(draw.uniform * (double)sum), sum - 1);
}

/* Integers in the reverse order of the floats; -0 is to be 0. */
DEVICE unsigned draw_key(float x) {
  unsigned bits = __float_as_uint(x);
  return bits & 0x80000000u ? bits : ~bits & 0x7fffffffu;
}

DEVICE float draw_from_key(unsigned key) {
  return __uint_as_float(key & 0x80000000u ? key : ~key & 0x7fffffffu);
}
