/* Kernels that are wrong, and what should be noticed; and some that are right, to be compared. */
#include "emulator.h"

extern "C" __global__ void test_access(float* x, int index) {
  if (threadIdx.x == 5) {
    x[index] += 1;
  }
}
KERNEL(test_access)

extern "C" __global__ void test_unaligned(float* x, int index) {
  float4 v = *(float4*)(x + index);
  x[0] = v.x + v.w;
}
KERNEL(test_unaligned)

extern "C" __global__ void test_array(float* x, int index) {
  __shared__ float values[8];
  values[index] = 1;
  x[0] = values[index];
}
KERNEL(test_array)

/* Lanes 7 and up have left when the others vote. */
extern "C" __global__ void test_missing_lanes(float* x, int index) {
  if (threadIdx.x < 7) {
    x[index] = __any_sync(0xffffffffu, 1);
  }
}
KERNEL(test_missing_lanes)

extern "C" __global__ void test_different_collectives(float* x, int index) {
  x[index] = threadIdx.x == 3 ? __shfl_xor_sync(0xffffffffu, 1.0f, 1)
                              : (float)__ballot_sync(0xffffffffu, 1);
}
KERNEL(test_different_collectives)

/* One warp waits at the barrier, the other at a vote whose lane 0 waits at the barrier. */
extern "C" __global__ void test_deadlock(float* x, int index) {
  if (threadIdx.x <= 32) {
    __syncthreads();
  } else {
    x[index] = __any_sync(0xffffffffu, 1);
  }
}
KERNEL(test_deadlock)

/* Neighbours through shared memory with no barrier between: half of the launches get it wrong. */
extern "C" __global__ void test_race(float* x, int index) {
  DYNAMIC_SHARED(float, values);
  values[threadIdx.x] = (float)threadIdx.x;
  x[threadIdx.x] = values[(threadIdx.x + index) % blockDim.x];
}
KERNEL(test_race)

/* As it should be: x[t] = sum of 0 ... threads - 1, by shuffles, shared memory and barriers. */
extern "C" __global__ void test_block_sum(float* x, int index) {
  DYNAMIC_SHARED(float, partial);
  float sum = (float)(threadIdx.x + index);
  for (int offset = 16; offset > 0; offset /= 2) {
    sum += __shfl_down_sync(0xffffffffu, sum, offset);
  }
  if (threadIdx.x % 32 == 0) {
    partial[threadIdx.x / 32] = sum;
  }
  __syncthreads();
  float total = 0;
  for (unsigned i = 0; i < blockDim.x / 32; i++) {
    total += partial[i];
  }
  x[blockIdx.x * blockDim.x + threadIdx.x] = total;
}
KERNEL(test_block_sum)

/* d [16, 8] = a [16, 16] b [16, 8] of small integers in half, with the manual's fragments. */
extern "C" __global__ void test_mma(float* x, int index) {
  int g = threadIdx.x / 4;
  int t = threadIdx.x % 4;
  auto a = [&](int row, int k) { return emu_float_to_half((float)(row - 2 * k + index)); };
  auto b = [&](int k, int column) { return emu_float_to_half((float)(k - 3 * column)); };
  unsigned fa[4];
  unsigned fb[2];
  for (int i = 0; i < 4; i++) {
    int row = g + i % 2 * 8;
    int k = 2 * t + i / 2 * 8;
    fa[i] = a(row, k) | (unsigned)a(row, k + 1) << 16;
  }
  for (int i = 0; i < 2; i++) {
    int k = 2 * t + i * 8;
    fb[i] = b(k, g) | (unsigned)b(k + 1, g) << 16;
  }
  float d[4] = {};
  emu_mma_m16n8k16_f16(d, fa, fb);
  for (int i = 0; i < 4; i++) {
    x[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = d[i];
  }
}
KERNEL(test_mma)
