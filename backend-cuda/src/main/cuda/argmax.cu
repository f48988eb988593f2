/*
 * Column of the largest element of each row of x [rows, width], the first among equals; -1 if an
 * element is NaN or positive infinity, or all are negative infinity.
 *   argmax_parts: the best of each part of each row: values, columns [rows, parts]
 *   argmax_merge: the best of the parts: out [rows]
 * Launch: argmax_parts: grid (parts, rows), blocks of 256; argmax_merge: one block of 32 for each
 * row. parts is any number; 1 needs both as well.
 */
#include "common.cuh"

/* Larger, or equal and further left. */
DEVICE bool is_better(float value, int column, float best, int best_column) {
  return value > best || (value == best && column < best_column);
}

DEVICE void keep_better(float& best, int& best_column, float value, int column) {
  if (is_better(value, column, best, best_column)) {
    best = value;
    best_column = column;
  }
}

DEVICE void warp_best(float& best, int& column) {
  for (int offset = WARP / 2; offset > 0; offset /= 2) {
    float value = __shfl_xor_sync(ALL_LANES, best, offset);
    int other = __shfl_xor_sync(ALL_LANES, column, offset);
    keep_better(best, column, value, other);
  }
}

constexpr int NO_COLUMN = 0x7fffffff;
constexpr int NOTHING = -1; /* with the value infinity, better than any column */

extern "C" __global__ void argmax_parts(float* values, int* columns, const float* x, int width) {
  __shared__ float warp_values[WARP];
  __shared__ int warp_columns[WARP];
  int parts = gridDim.x;
  const float* row = x + (size_t)blockIdx.y * width;
  int length = (width + parts - 1) / parts;
  long long begin = (long long)blockIdx.x * length;
  int end = (int)min(begin + length, (long long)width);
  float best = -INFINITY;
  int column = NO_COLUMN;
  for (int i = (int)begin + threadIdx.x; i < end; i += blockDim.x) {
    bool good = row[i] < INFINITY;
    keep_better(best, column, good ? row[i] : INFINITY, good ? i : NOTHING);
  }
  warp_best(best, column);
  if (lane_index() == 0) {
    warp_values[warp_index()] = best;
    warp_columns[warp_index()] = column;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int i = 1; i < (int)blockDim.x / WARP; i++) {
      keep_better(best, column, warp_values[i], warp_columns[i]);
    }
    values[blockIdx.y * parts + blockIdx.x] = best;
    columns[blockIdx.y * parts + blockIdx.x] = column;
  }
}
KERNEL(argmax_parts)

extern "C" __global__ void argmax_merge(int* out, const float* values, const int* columns,
                                        int parts) {
  float best = -INFINITY;
  int column = NO_COLUMN;
  for (int i = threadIdx.x; i < parts; i += WARP) {
    keep_better(best, column, values[blockIdx.x * parts + i], columns[blockIdx.x * parts + i]);
  }
  warp_best(best, column);
  if (threadIdx.x == 0) {
    out[blockIdx.x] = best > -INFINITY ? column : NOTHING;
  }
}
KERNEL(argmax_merge)
