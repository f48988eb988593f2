/*
 * Products of F32 matrices in F32 arithmetic, forward and backward:
 *   matmul_f32:        out [rows, outputs] (=|+=) x [rows, inputs] . weight [outputs, inputs]^T
 *   matmul_f32_grad_x: dx [rows, inputs] (=|+=) dout [rows, outputs] . weight [outputs, inputs];
 *                      rows of dout are dout_stride elements apart, so that a part of the outputs
 *                      can be taken
 *   matmul_f32_grad_w: dweight [outputs, inputs] += dout [rows, outputs]^T . x [rows, inputs]
 * Each comes with tiles of 64 and of 128 rows and columns: `_64` for small results, which it
 * spreads over more of the device, `_128` for the rest. Any sizes and alignment.
 * Launch: grid (ceil(columns of the result / tile), ceil(its rows / tile)), blocks of 256.
 *
 * A block owns a tile of the result. Slices of both factors pass through shared memory, so deep
 * that each thread moves four elements of each; the next pair is on its way from global memory
 * while the sums of this one are formed.
 */
#include "common.cuh"

constexpr int THREADS = 256;
constexpr int PAD = 4; /* spreads columns over the banks of shared memory */

template <int TILE>
struct Slice {
  static constexpr int DEPTH = 4 * THREADS / TILE;
  float at[DEPTH][TILE + PAD]; /* [position in the sum][row or column of the result] */
};

/* A factor: element (i, k) for row or column i of the result at position k of the sum. */
struct Factor {
  const float* data;
  int count;  /* of i */
  int depth;  /* of k */
  int stride; /* from line to line, a line being what lies side by side */
};

/* Four elements that lie side by side, zeros beyond the end. */
DEVICE float4 load4(const float* p, int left, bool aligned) {
  if (aligned && left >= 4) {
    return *(const float4*)p;
  }
  float4 v = make_float4(0, 0, 0, 0);
  if (left > 0) v.x = p[0];
  if (left > 1) v.y = p[1];
  if (left > 2) v.z = p[2];
  if (left > 3) v.w = p[3];
  return v;
}

/* Moves slices of one factor. ALONG_SUM: elements of the same i lie side by side. */
template <int TILE, bool ALONG_SUM>
struct Mover {
  static constexpr int LINE = (ALONG_SUM ? Slice<TILE>::DEPTH : TILE) / 4; /* quads side by side */
  float4 held;

  DEVICE void load(const Factor& f, int first, int k0) {
    int elements = ALONG_SUM ? f.depth : f.count;
    int lines = ALONG_SUM ? f.count : f.depth;
    bool aligned = is_aligned16(f.data) && f.stride % 4 == 0;
    int line = threadIdx.x / LINE + (ALONG_SUM ? first : k0);
    int element = threadIdx.x % LINE * 4 + (ALONG_SUM ? k0 : first);
    held = line < lines
               ? load4(f.data + (size_t)line * f.stride + element, elements - element, aligned)
               : make_float4(0, 0, 0, 0);
  }

  DEVICE void store(Slice<TILE>& slice) {
    int line = threadIdx.x / LINE;
    int element = threadIdx.x % LINE * 4;
    if (ALONG_SUM) {
      slice.at[element][line] = held.x;
      slice.at[element + 1][line] = held.y;
      slice.at[element + 2][line] = held.z;
      slice.at[element + 3][line] = held.w;
    } else {
      *(float4*)&slice.at[line][element] = held;
    }
  }
};

/* Element i of a thread's rows or columns: groups of four, 64 apart. */
DEVICE int spread(int thread, int i) { return i / 4 * 64 + thread * 4 + i % 4; }

template <int TILE>
DEVICE void add_products(float (&sums)[TILE / 16][TILE / 16], const Slice<TILE>& a,
                         const Slice<TILE>& b) {
  constexpr int EACH = TILE / 16;
  int column = threadIdx.x % 16;
  int row = threadIdx.x / 16;
#pragma unroll
  for (int k = 0; k < Slice<TILE>::DEPTH; k++) {
    float rows[EACH];
    float columns[EACH];
#pragma unroll
    for (int i = 0; i < EACH; i += 4) {
      *(float4*)&rows[i] = *(const float4*)&a.at[k][spread(row, i)];
      *(float4*)&columns[i] = *(const float4*)&b.at[k][spread(column, i)];
    }
#pragma unroll
    for (int i = 0; i < EACH; i++) {
#pragma unroll
      for (int j = 0; j < EACH; j++) {
        sums[i][j] += rows[i] * columns[j];
      }
    }
  }
}

/* Four elements that lie side by side, as far as there are any left. */
DEVICE void store4(float* to, const float* sums, int left, int add) {
#pragma unroll
  for (int i = 0; i < 4; i++) {
    if (i < left) {
      to[i] = add ? to[i] + sums[i] : sums[i];
    }
  }
}

/* out [a.count, b.count] (=|+=) the sum over k of a(i, k) b(j, k). */
template <int TILE, bool A_ALONG_SUM, bool B_ALONG_SUM>
DEVICE void matmul_body(float* out, Factor a, Factor b, int add) {
  constexpr int EACH = TILE / 16;
  constexpr int DEPTH = Slice<TILE>::DEPTH;
  __shared__ __align__(16) Slice<TILE> a_slices[2];
  __shared__ __align__(16) Slice<TILE> b_slices[2];
  int first_row = blockIdx.y * TILE;
  int first_column = blockIdx.x * TILE;
  Mover<TILE, A_ALONG_SUM> a_mover;
  Mover<TILE, B_ALONG_SUM> b_mover;
  float sums[EACH][EACH] = {};
  a_mover.load(a, first_row, 0);
  b_mover.load(b, first_column, 0);
  for (int k0 = 0, turn = 0; k0 < a.depth; k0 += DEPTH, turn ^= 1) {
    a_mover.store(a_slices[turn]);
    b_mover.store(b_slices[turn]);
    __syncthreads();
    if (k0 + DEPTH < a.depth) {
      a_mover.load(a, first_row, k0 + DEPTH);
      b_mover.load(b, first_column, k0 + DEPTH);
    }
    add_products<TILE>(sums, a_slices[turn], b_slices[turn]);
  }
#pragma unroll
  for (int i = 0; i < EACH; i++) {
    int row = first_row + spread(threadIdx.x / 16, i);
#pragma unroll
    for (int j = 0; j < EACH; j += 4) {
      int column = first_column + spread(threadIdx.x % 16, j);
      if (row < a.count) {
        store4(out + (size_t)row * b.count + column, &sums[i][j], b.count - column, add);
      }
    }
  }
}

#define MATMUL_F32(tile)                                                                       \
  extern "C" __global__ void __launch_bounds__(THREADS, 2)                                     \
      matmul_f32_##tile(float* out, const float* x, const float* weight, int rows, int inputs, \
                        int outputs, int add) {                                                \
    matmul_body<tile, true, true>(out, {x, rows, inputs, inputs},                              \
                                  {weight, outputs, inputs, inputs}, add);                     \
  }                                                                                            \
  KERNEL(matmul_f32_##tile)                                                                    \
  extern "C" __global__ void __launch_bounds__(THREADS, 2)                                     \
      matmul_f32_grad_x_##tile(float* dx, const float* dout, const float* weight, int rows,    \
                               int inputs, int outputs, int add, int dout_stride) {            \
    matmul_body<tile, true, false>(dx, {dout, rows, outputs, dout_stride},                     \
                                   {weight, inputs, outputs, inputs}, add);                    \
  }                                                                                            \
  KERNEL(matmul_f32_grad_x_##tile)                                                             \
  extern "C" __global__ void __launch_bounds__(THREADS, 2) matmul_f32_grad_w_##tile(           \
      float* dweight, const float* dout, const float* x, int rows, int inputs, int outputs) {  \
    matmul_body<tile, false, false>(dweight, {dout, outputs, rows, outputs},                   \
                                    {x, inputs, rows, inputs}, 1);                             \
  }                                                                                            \
  KERNEL(matmul_f32_grad_w_##tile)

MATMUL_F32(64)
MATMUL_F32(128)
