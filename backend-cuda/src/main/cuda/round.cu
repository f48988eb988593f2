/*
 * Activations as cuBLASLt takes them.
 *   round_bf16: out [count] = x [count], rounded to nearest
 * Launch: any grid, blocks of any multiple of 32.
 */
#include "elementwise.cuh"

extern "C" __global__ void round_bf16(bfloat_bits* out, const float* x, long long count) {
  for (long long i = first_element(); i < count; i += element_step()) {
    out[i] = float_to_bfloat(x[i]);
  }
}
KERNEL(round_bf16)
