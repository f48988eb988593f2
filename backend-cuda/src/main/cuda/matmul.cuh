/*
 * Products of many rows with matrices on matrix units: out [rows, outputs] (=|+=) x [rows, inputs]
 * . weight [outputs, inputs] transposed, factors of 16 bits, sums in F32.
 *
 * A block owns a tile of the result. Slices of both factors, DEPTH deep, pass through a ring of
 * STAGES buffers in shared memory, so that copies from global memory run ahead of the products. A
 * loader brings the slices of weights: PlainWeights copies, PackedWeights (matmul_quantized.cu)
 * decodes.
 */
#pragma once

#include "codecs.cuh"

/* Shapes of tiles: large ones use data most often, small ones spread few rows over the device. */
struct Tile128 {
  static constexpr int ROWS = 128, COLUMNS = 128, DEPTH = 32, STAGES = 3;
  static constexpr int WARPS_DOWN = 2, WARPS_ACROSS = 4;
};

struct Tile64 {
  static constexpr int ROWS = 64, COLUMNS = 64, DEPTH = 32, STAGES = 4;
  static constexpr int WARPS_DOWN = 2, WARPS_ACROSS = 2;
};

struct Tile32 {
  static constexpr int ROWS = 32, COLUMNS = 32, DEPTH = 64, STAGES = 4;
  static constexpr int WARPS_DOWN = 2, WARPS_ACROSS = 2;
};

template <class S>
struct Geometry {
  static constexpr int THREADS = S::WARPS_DOWN * S::WARPS_ACROSS * WARP;
  /* Elements from row to row in shared memory: eight rows that are read at once lie in different
   * banks. */
  static constexpr int LINE = S::DEPTH + 8;
  static constexpr int STAGE = (S::ROWS + S::COLUMNS) * LINE;
  static constexpr int MMA_ROWS = S::ROWS / S::WARPS_DOWN / 16;
  static constexpr int MMA_COLUMNS = S::COLUMNS / S::WARPS_ACROSS / 8;
};

/* Starts the copy of ROWS rows, DEPTH elements each from k0 on; zeros beyond the matrix. */
template <class S, int ROWS>
DEVICE void copy_slice(half_bits* to, const half_bits* from, int first, int count, int k0,
                       int inputs) {
  constexpr int CHUNKS = S::DEPTH / 8;
  constexpr int STEP = Geometry<S>::THREADS / CHUNKS; /* rows that the block copies at once */
  int k = threadIdx.x % CHUNKS * 8;
#pragma unroll
  for (int i = 0; i < ROWS / STEP; i++) {
    int row = threadIdx.x / CHUNKS + i * STEP;
    bool valid = first + row < count && k0 + k < inputs;
    const half_bits* at = from + (valid ? (size_t)(first + row) * inputs + k0 + k : 0);
    cp_async16(to + row * Geometry<S>::LINE + k, at, valid);
  }
}

/* Weights of 16 bits, which need no decoding. */
template <class S>
struct PlainWeights {
  const half_bits* weight;
  int first, outputs, inputs;

  DEVICE PlainWeights(const void* weight, int first, int outputs, int inputs)
      : weight((const half_bits*)weight), first(first), outputs(outputs), inputs(inputs) {}

  /* Starts to bring the slice at k0. */
  DEVICE void begin(half_bits* to, int k0) {
    copy_slice<S, S::COLUMNS>(to, weight, first, outputs, k0, inputs);
  }

  /* Writes what begin did not. */
  DEVICE void finish(half_bits*) {}
};

/* sums += the products of one slice, for this warp's part of the tile. T: what 16 bits stand for.
 * */
template <class T, class S>
DEVICE void multiply_slice(float (&sums)[Geometry<S>::MMA_ROWS][Geometry<S>::MMA_COLUMNS][4],
                           const half_bits* x, const half_bits* w) {
  typedef Geometry<S> G;
  int lane = lane_index();
  int first_row = warp_index() / S::WARPS_ACROSS * G::MMA_ROWS * 16;
  int first_column = warp_index() % S::WARPS_ACROSS * G::MMA_COLUMNS * 8;
  const half_bits* a_row = x + (first_row + lane % 16) * G::LINE + lane / 16 * 8;
  const half_bits* b_row =
      w + (first_column + lane % 8 + lane / 16 * 8) * G::LINE + lane / 8 % 2 * 8;
#pragma unroll
  for (int k = 0; k < S::DEPTH; k += 16) {
    unsigned a[G::MMA_ROWS][4];
    unsigned b[G::MMA_COLUMNS / 2][4]; /* two columns of fragments each */
#pragma unroll
    for (int i = 0; i < G::MMA_ROWS; i++) {
      ldmatrix_x4(a[i], a_row + i * 16 * G::LINE + k);
    }
#pragma unroll
    for (int j = 0; j < G::MMA_COLUMNS / 2; j++) {
      ldmatrix_x4(b[j], b_row + j * 16 * G::LINE + k);
    }
#pragma unroll
    for (int i = 0; i < G::MMA_ROWS; i++) {
#pragma unroll
      for (int j = 0; j < G::MMA_COLUMNS; j++) {
        T::mma(sums[i][j], a[i], b[j / 2][j % 2 * 2], b[j / 2][j % 2 * 2 + 1]);
      }
    }
  }
}

/* Sixteen rows of a warp's sums at a time pass through shared memory, so that the lanes write
 * neighbouring elements. */
template <class S>
DEVICE void store_tile(float* out, float* shared, const float* factors,
                       const float (&sums)[Geometry<S>::MMA_ROWS][Geometry<S>::MMA_COLUMNS][4],
                       int first_row, int first_column, int rows, int outputs, int add) {
  typedef Geometry<S> G;
  constexpr int WIDTH = G::MMA_COLUMNS * 8;
  int lane = lane_index();
  float* own = shared + warp_index() * 16 * WIDTH;
  float* fragment = own + lane / 4 * WIDTH + lane % 4 * 2;
  int column = first_column + warp_index() % S::WARPS_ACROSS * WIDTH + lane % WIDTH;
#pragma unroll
  for (int i = 0; i < G::MMA_ROWS; i++) {
    __syncwarp(ALL_LANES);
#pragma unroll
    for (int j = 0; j < G::MMA_COLUMNS; j++) {
      *(float2*)&fragment[j * 8] = make_float2(sums[i][j][0], sums[i][j][1]);
      *(float2*)&fragment[j * 8 + 8 * WIDTH] = make_float2(sums[i][j][2], sums[i][j][3]);
    }
    __syncwarp(ALL_LANES);
    int row = first_row + (warp_index() / S::WARPS_ACROSS * G::MMA_ROWS + i) * 16 + lane / WIDTH;
    for (int e = lane; e < 16 * WIDTH; e += WARP, row += WARP / WIDTH) {
      if (row < rows && column < outputs) {
        float* to = out + (size_t)row * outputs + column;
        float sum = own[e] * factors[row];
        *to = add ? *to + sum : sum;
      }
    }
  }
}

/* x, factors: as round_rows_f16 or round_rows_bf16 leave them. */
template <class T, class S, class Weights>
DEVICE void matmul_body(float* out, const void* x, const float* factors, const void* weight,
                        int rows, int inputs, int outputs, int add) {
  typedef Geometry<S> G;
  DYNAMIC_SHARED(half_bits, shared);
  /* Blocks of all rows with the same weights run side by side. */
  int first_row = blockIdx.x * S::ROWS;
  int first_column = blockIdx.y * S::COLUMNS;
  Weights weights(weight, first_column, outputs, inputs);
  float sums[G::MMA_ROWS][G::MMA_COLUMNS][4] = {};
  int steps = (inputs + S::DEPTH - 1) / S::DEPTH;
  for (int s = 0; s < S::STAGES - 1; s++) {
    half_bits* stage = shared + s * G::STAGE;
    copy_slice<S, S::ROWS>(stage, (const half_bits*)x, first_row, rows, s * S::DEPTH, inputs);
    weights.begin(stage + S::ROWS * G::LINE, s * S::DEPTH);
    cp_async_commit();
    weights.finish(stage + S::ROWS * G::LINE);
  }
  for (int step = 0; step < steps; step++) {
    cp_async_wait<S::STAGES - 2>();
    __syncthreads(); /* This slice is there; the one before has been used. */
    int ahead = step + S::STAGES - 1;
    half_bits* next = shared + ahead % S::STAGES * G::STAGE;
    copy_slice<S, S::ROWS>(next, (const half_bits*)x, first_row, rows, ahead * S::DEPTH, inputs);
    weights.begin(next + S::ROWS * G::LINE, ahead * S::DEPTH);
    cp_async_commit();
    const half_bits* stage = shared + step % S::STAGES * G::STAGE;
    multiply_slice<T, S>(sums, stage, stage + S::ROWS * G::LINE);
    weights.finish(next + S::ROWS * G::LINE);
  }
  cp_async_wait<0>();
  __syncthreads(); /* All slices have been used. */
  store_tile<S>(out, (float*)shared, factors, sums, first_row, first_column, rows, outputs, add);
}

#define MATMUL(name, type, shape, weights)                                                  \
  extern "C" __global__ void __launch_bounds__(Geometry<shape>::THREADS)                    \
      name(float* out, const void* x, const float* factors, const void* weight, int rows,   \
           int inputs, int outputs, int add) {                                              \
    matmul_body<type, shape, weights>(out, x, factors, weight, rows, inputs, outputs, add); \
  }                                                                                         \
  KERNEL(name)
