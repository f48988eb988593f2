/*
 * Activations of 8 bits, as products with quantised weights take them: blocks of 32 elements with a
 * scale (F32) and the sums of their first and last 16 quants (two int16).
 *
 * Neighbouring lanes should read neighbouring bytes: some own one block of a row, others two. So a
 * row holds the first halves of all blocks, 16 bytes each, then the second halves; among both, blocks
 * of even numbers come before the odd ones. Scales follow behind all rows, in the same order. inputs
 * is a multiple of 32.
 */
#pragma once

#include "common.cuh"

struct Quantized {
  signed char* q;
  uint2* scales; /* scale, and both sums */
  int blocks;    /* of a row */

  DEVICE Quantized(void* data, int rows, int inputs)
      : q((signed char*)data),
        scales((uint2*)((char*)data + (size_t)rows * inputs)),
        blocks(inputs / 32) {}

  /* Where a block stands in its row. */
  DEVICE int place(int block) const { return block / 2 + block % 2 * ((blocks + 1) / 2); }

  /* The first or second 16 elements of a block. */
  DEVICE signed char* half(int row, int block, int half) const {
    return q + ((size_t)(2 * row + half) * blocks + place(block)) * 16;
  }

  DEVICE uint2* scale(int row, int block) const {
    return scales + (size_t)row * blocks + place(block);
  }
};

/* Writes a block whose element i is lane i's value. Every lane of the warp takes part. */
DEVICE void quantize_block(const Quantized& to, int row, int block, float value) {
  int lane = lane_index();
  float scale = warp_max(fabsf(value)) / 127;
  int quant = __float2int_rn(scale > 0 ? value * (1 / scale) : 0);
  int sum = quant;
  for (int offset = 8; offset > 0; offset /= 2) {
    sum += __shfl_xor_sync(ALL_LANES, sum, offset);
  }
  int other = __shfl_xor_sync(ALL_LANES, sum, 16);
  to.half(row, block, lane / 16)[lane % 16] = (signed char)quant;
  if (lane == 0) {
    unsigned sums = (sum & 0xffff) | (unsigned)other << 16;
    *to.scale(row, block) = make_uint2(__float_as_uint(scale), sums);
  }
}
