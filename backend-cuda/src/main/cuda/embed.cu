/*
 * Rows of a table.
 *   embed_<type>: out [rows, width] = table [table_rows, width] at indices [rows]
 *   iota:         indices [count] = first, first + 1, ... With it, embed_<type> decodes a range of
 *   rows embed_grad:   dtable at indices[r] += dout [rows, width] of row r, for each r in order
 * Launch: one block for each row, of any multiple of 32 threads; iota: any grid.
 */
#include "codecs.cuh"
#include "elementwise.cuh"

template <class T>
DEVICE void embed_plain(float* out, const void* table, const int* indices, int width) {
  const typename T::Element* from =
      (const typename T::Element*)table + (size_t)indices[blockIdx.x] * width;
  float* to = out + (size_t)blockIdx.x * width;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    to[i] = T::one(from[i]);
  }
}

template <class C>
DEVICE void embed_quantized(float* out, const void* table, const int* indices, int width,
                            long long table_rows) {
  int blocks = width / C::BLOCK;
  float* to = out + (size_t)blockIdx.x * width;
  for (int i = threadIdx.x; i < blocks * C::UNITS; i += blockDim.x) {
    int block = i / C::UNITS;
    long long index = (long long)indices[blockIdx.x] * blocks + block;
    typename C::Unit unit = C::load(block_of<C>(table, table_rows * blocks, index), i % C::UNITS);
    for (int g = 0; g < C::GROUPS; g++) {
      int q[C::GROUP / 4];
      Scaled s = C::group(q, unit, g);
      float* group = to + block * C::BLOCK + C::at(i % C::UNITS, g);
#pragma unroll
      for (int k = 0; k < C::GROUP; k++) {
        group[k] = s.scale * element_of(q[k / 4], k % 4) - s.minimum;
      }
    }
  }
}

#define EMBED_PLAIN(name, type)                                                                 \
  extern "C" __global__ void name(float* out, const void* table, const int* indices, int width, \
                                  long long table_rows) {                                       \
    embed_plain<type>(out, table, indices, width);                                              \
  }                                                                                             \
  KERNEL(name)

#define EMBED_QUANTIZED(name, type)                                                             \
  extern "C" __global__ void name(float* out, const void* table, const int* indices, int width, \
                                  long long table_rows) {                                       \
    embed_quantized<type>(out, table, indices, width, table_rows);                              \
  }                                                                                             \
  KERNEL(name)

EMBED_PLAIN(embed_f32, F32)
EMBED_PLAIN(embed_f16, F16)
EMBED_PLAIN(embed_bf16, BF16)
EMBED_QUANTIZED(embed_q8_0, Q8_0)
EMBED_QUANTIZED(embed_q4_0, Q4_0)
EMBED_QUANTIZED(embed_q4_1, Q4_1)
EMBED_QUANTIZED(embed_q5_0, Q5_0)
EMBED_QUANTIZED(embed_q5_1, Q5_1)
EMBED_QUANTIZED(embed_q2_k, Q2_K)
EMBED_QUANTIZED(embed_q3_k, Q3_K)
EMBED_QUANTIZED(embed_q4_k, Q4_K)
EMBED_QUANTIZED(embed_q5_k, Q5_K)
EMBED_QUANTIZED(embed_q6_k, Q6_K)

extern "C" __global__ void iota(int* indices, int first, int count) {
  for (long long i = first_element(); i < count; i += element_step()) {
    indices[i] = first + (int)i;
  }
}
KERNEL(iota)

/* The first row of each index adds up all rows of that index: no atomics, a fixed order. */
extern "C" __global__ void embed_grad(float* dtable, const float* dout, const int* indices,
                                      int rows, int width) {
  int row = blockIdx.x;
  int index = indices[row];
  int earlier = 0;
  for (int r = threadIdx.x; r < row; r += blockDim.x) {
    earlier |= indices[r] == index;
  }
  if (__syncthreads_or(earlier)) {
    return;
  }
  float* to = dtable + (size_t)index * width;
  for (int r = row; r < rows; r++) {
    if (indices[r] == index) {
      for (int i = threadIdx.x; i < width; i += blockDim.x) {
        to[i] += dout[(size_t)r * width + i];
      }
    }
  }
}
KERNEL(embed_grad)
