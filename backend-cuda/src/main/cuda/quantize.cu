/*
 * Activations in the formats that products take.
 *   quantize_rows: x [rows, inputs] to 8 bits, see quantize.cuh
 *   round_rows_f16, round_rows_bf16: x [rows, inputs] to 16 bits, each row times a power of two
 *                  that brings its largest element to between 2^13 and 2^14, into the range of
 *                  half; the inverse goes to factors [rows]
 * Launch: quantize_rows: any grid, blocks of any multiple of 32; round_rows: one block for each
 * row, of any multiple of 32 threads.
 */
#include "codecs.cuh"
#include "elementwise.cuh"
#include "quantize.cuh"

/* Eight lanes share a block. */
extern "C" __global__ void quantize_rows(void* q, const float* x, int rows, int inputs) {
  Quantized to(q, rows, inputs);
  long long quads = (long long)rows * inputs / 4;
  long long last = (quads + WARP - 1) / WARP * WARP; /* whole warps: lanes shuffle */
  bool aligned = is_aligned16(x);
  for (long long i = first_element(); i < last; i += element_step()) {
    float4 v = make_float4(0, 0, 0, 0);
    if (i < quads) {
      const float* from = x + 4 * i;
      v = aligned ? *(const float4*)from : make_float4(from[0], from[1], from[2], from[3]);
    }
    float largest = fmaxf(fmaxf(fabsf(v.x), fabsf(v.y)), fmaxf(fabsf(v.z), fabsf(v.w)));
    float scale = warp_max(largest, 8) / 127;
    float inverse = scale > 0 ? 1 / scale : 0;
    int a = __float2int_rn(v.x * inverse);
    int b = __float2int_rn(v.y * inverse);
    int c = __float2int_rn(v.z * inverse);
    int d = __float2int_rn(v.w * inverse);
    int sum = a + b + c + d;
    sum += __shfl_xor_sync(ALL_LANES, sum, 1);
    sum += __shfl_xor_sync(ALL_LANES, sum, 2);
    int other = __shfl_xor_sync(ALL_LANES, sum, 4);
    if (i < quads) {
      int row = (int)(i / 8 / to.blocks);
      int block = (int)(i / 8 % to.blocks);
      unsigned* quants = (unsigned*)to.half(row, block, (int)(i % 8) / 4);
      quants[i % 4] = (a & 255) | (b & 255) << 8 | (c & 255) << 16 | (unsigned)d << 24;
      if (i % 8 == 0) {
        unsigned sums = (sum & 0xffff) | (unsigned)other << 16;
        *to.scale(row, block) = make_uint2(__float_as_uint(scale), sums);
      }
    }
  }
}
KERNEL(quantize_rows)

template <class T>
DEVICE void round_rows_body(void* out, float* factors, const float* x, int inputs) {
  const float* from = x + (size_t)blockIdx.x * inputs;
  typename T::Element* to = (typename T::Element*)out + (size_t)blockIdx.x * inputs;
  float largest = 0;
  for (int i = threadIdx.x; i < inputs; i += blockDim.x) {
    largest = fmaxf(largest, fabsf(from[i]));
  }
  int exponent = (int)(__float_as_uint(block_max(largest)) >> 23) - 127;
  /* Zeros and infinities stay what they are. */
  int shift = exponent < 128 ? min(13 - exponent, 100) : 0;
  float factor = __uint_as_float((unsigned)(127 + shift) << 23);
  for (int i = threadIdx.x; i < inputs; i += blockDim.x) {
    to[i] = (typename T::Element)T::pack(from[i] * factor, 0);
  }
  if (threadIdx.x == 0) {
    factors[blockIdx.x] = __uint_as_float((unsigned)(127 - shift) << 23);
  }
}

extern "C" __global__ void round_rows_f16(void* out, float* factors, const float* x, int inputs) {
  round_rows_body<F16>(out, factors, x, inputs);
}
KERNEL(round_rows_f16)

extern "C" __global__ void round_rows_bf16(void* out, float* factors, const float* x, int inputs) {
  round_rows_body<BF16>(out, factors, x, inputs);
}
KERNEL(round_rows_bf16)
