/*
 * Sums over the rows of a matrix, for gradients of vectors: a block of 256 threads owns 32
 * neighbouring columns, each of its warps every eighth row. No atomics: the order of summation, and
 * so the result, is always the same.
 */
#pragma once

#include "common.cuh"

constexpr int COLUMN_LANES = 8;

DEVICE int column_of_thread() { return blockIdx.x * WARP + lane_index(); }

DEVICE int first_row_of_thread() { return warp_index(); }

/* Adds the sums of a column's threads to out [width]. */
DEVICE void add_column_sum(float* out, int width, float sum) {
  __shared__ float sums[COLUMN_LANES][WARP];
  int lane = lane_index();
  __syncthreads(); /* Earlier sums have been read. */
  sums[warp_index()][lane] = sum;
  __syncthreads();
  if (warp_index() == 0 && column_of_thread() < width) {
    float total = 0;
    for (int i = 0; i < COLUMN_LANES; i++) {
      total += sums[i][lane];
    }
    out[column_of_thread()] += total;
  }
}
