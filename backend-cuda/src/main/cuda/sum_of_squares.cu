/*
 * Sum of squares, for the norm of gradients. The order of summation depends on the launch alone.
 *   squares_parts: parts [number of blocks] = sum of the squares of each block's share of x [count]
 *   squares_merge: sum[0] += all parts
 * Launch: squares_parts: any grid, blocks of 256; squares_merge: one block of 256.
 */
#include "elementwise.cuh"

extern "C" __global__ void squares_parts(float* parts, const float* x, long long count) {
  float sum = 0;
  for (long long i = first_element(); i < count; i += element_step()) {
    sum += x[i] * x[i];
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = sum;
  }
}
KERNEL(squares_parts)

extern "C" __global__ void squares_merge(float* sum, const float* parts, int count) {
  float mine = 0;
  for (int i = threadIdx.x; i < count; i += blockDim.x) {
    mine += parts[i];
  }
  mine = block_sum(mine);
  if (threadIdx.x == 0) {
    sum[0] += mine;
  }
}
KERNEL(squares_merge)
