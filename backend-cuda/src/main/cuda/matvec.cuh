/*
 * Products of few rows with matrices, limited by the speed of memory: each weight is read once, by
 * one warp for each output, and multiplied with up to ROWS rows of activations.
 *
 * One launch does up to three matrices that share their activations (query, key and value), which
 * fills the device where one of them is small. mode: 0 sets the outputs, 1 adds to them, 2 makes
 * out0 = swiGlu(x . w0, x . w1), both of n0 outputs.
 */
#pragma once

#include "codecs.cuh"

enum Mode { MODE_SET = 0, MODE_ADD = 1, MODE_SWIGLU = 2 };

constexpr int MATVEC_WARPS = 4;

/* One output: which matrix, and which of its rows. */
struct Output {
  float* out;
  const void* weight;
  int index;
  int outputs; /* of that matrix */
};

DEVICE Output output_of_warp(float* out0, float* out1, float* out2, const void* w0, const void* w1,
                             const void* w2, int n0, int n1, int n2) {
  int index = blockIdx.x * MATVEC_WARPS + warp_index();
  if (index < n0) {
    return {out0, w0, index, n0};
  }
  if (index < n0 + n1) {
    return {out1, w1, index - n0, n1};
  }
  return {out2, w2, index - n0 - n1, n2};
}

/* Row r of a block, behind its first. A row beyond the last is computed as the last and not stored:
 * no branches in the loops. */
template <int ROWS>
DEVICE int row_of(int r, int rows) {
  return min(r, rows - 1 - (int)blockIdx.y * ROWS);
}

/* Sums over the warp; lane r gets that of row r. */
template <int ROWS>
DEVICE float sum_of_lane(const float (&sums)[ROWS]) {
  float mine = 0;
#pragma unroll
  for (int r = 0; r < ROWS; r++) {
    float sum = warp_sum(sums[r]);
    mine = lane_index() == r ? sum : mine;
  }
  return mine;
}

/* Lane r writes row r. */
template <int ROWS>
DEVICE void store_output(const Output& o, float sum, float gate, int rows, int mode) {
  int row = blockIdx.y * ROWS + lane_index();
  if (lane_index() < ROWS && row < rows) {
    float* to = o.out + (size_t)row * o.outputs + o.index;
    *to = mode == MODE_SET ? sum : mode == MODE_ADD ? *to + sum : gate * sigmoid(gate) * sum;
  }
}
