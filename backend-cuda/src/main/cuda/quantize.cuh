/*
 * Activations of 8 bits, as products with quantised weights take them: q [rows, inputs] bytes, then
 * for each block of 32 its scale (F32) and the sums of its first and last 16 quants (two int16).
 * inputs is a multiple of 32.
 */
#pragma once

#include "common.cuh"

/* Writes a block of 32 elements whose lane i has element i; `index` is that of lane 0's element
 * among all `count` elements. Every lane of the warp takes part. */
DEVICE void quantize_block(void* q, long long count, long long index, float value) {
  int lane = lane_index();
  float scale = warp_max(fabsf(value)) / 127;
  int quant = __float2int_rn(scale > 0 ? value * (1 / scale) : 0);
  int sum = quant;
  for (int offset = 8; offset > 0; offset /= 2) {
    sum += __shfl_xor_sync(ALL_LANES, sum, offset);
  }
  int other = __shfl_xor_sync(ALL_LANES, sum, 16);
  ((signed char*)q)[index + lane] = (signed char)quant;
  if (lane == 0) {
    uint2* scales = (uint2*)((char*)q + count);
    scales[index / 32] = make_uint2(__float_as_uint(scale), (sum & 0xffff) | (unsigned)other << 16);
  }
}
