/*
 * Products of small tiles in shared memory, of which exact attention is made, forward and backward.
 *
 * A block of 128 threads owns OWN rows (queries, or keys) of up to 512 / R elements; PASSING rows
 * of the other side pass through shared memory. Eight lanes share a row: a thread has R own rows
 * and R passing rows of the scores, and R own rows and every eighth group of four elements of
 * results. Rows in shared memory are `line` elements apart: the head rounded up to 32, and PAD.
 */
#pragma once

#include "attention.cuh"

constexpr int THREADS = 128;
constexpr int LANES = 8;
constexpr int GROUPS = THREADS / LANES;
constexpr int PAD = 4; /* spreads rows over the banks of shared memory */

template <int R>
struct Tile {
  static constexpr int OWN = R * GROUPS;
  static constexpr int PASSING = R * LANES;
  static constexpr int QUADS = 512 / R / (4 * LANES); /* of a head of 512 / R elements */
};

DEVICE float element(const float* p) { return *p; }

DEVICE float element(const half_bits* p) { return half_to_float(*p); }

DEVICE float4 four_elements(const float* p) { return *(const float4*)p; }

DEVICE float4 four_elements(const half_bits* p) {
  uint2 pairs = *(const uint2*)p;
  float2 low = half2_to_float2(pairs.x);
  float2 high = half2_to_float2(pairs.y);
  return make_float4(low.x, low.y, high.x, high.y);
}

/* Four elements side by side, zeros behind the last of `left`. */
template <class T>
DEVICE float4 load_four(const T* p, int left, bool aligned) {
  if (aligned && left >= 4) {
    return four_elements(p);
  }
  float4 v = make_float4(0, 0, 0, 0);
  if (left > 0) v.x = element(p);
  if (left > 1) v.y = element(p + 1);
  if (left > 2) v.z = element(p + 2);
  if (left > 3) v.w = element(p + 3);
  return v;
}

/* Rows [first, count) of a matrix to shared memory, each times a factor; zeros for the others of
 * `rows` and beyond `width` elements. */
template <class T>
DEVICE void copy_rows(float* to, int line, const T* from, size_t stride, int rows, int first,
                      int count, int width, float factor) {
  constexpr size_t MASK = 4 * sizeof(T) - 1;
  bool aligned = ((size_t)from & MASK) == 0 && (stride * sizeof(T) & MASK) == 0;
  for (int row = threadIdx.x / LANES; row < rows; row += GROUPS) {
    bool there = row >= first && row < count;
    for (int column = threadIdx.x % LANES * 4; column < line - PAD; column += 4 * LANES) {
      float4 v = load_four(from + row * stride + column, there ? width - column : 0, aligned);
      *(float4*)&to[row * line + column] =
          make_float4(v.x * factor, v.y * factor, v.z * factor, v.w * factor);
    }
  }
}

/* scores [R][R] += own rows . passing rows of this thread. */
template <int R>
DEVICE void multiply_tiles(float (&scores)[R][R], const float* own, const float* passing,
                           int line) {
  int group = threadIdx.x / LANES;
  int lane = threadIdx.x % LANES;
  for (int d = 0; d < line - PAD; d += 4) {
    float4 b[R];
#pragma unroll
    for (int j = 0; j < R; j++) {
      b[j] = *(const float4*)&passing[(lane + j * LANES) * line + d];
    }
#pragma unroll
    for (int i = 0; i < R; i++) {
      float4 a = *(const float4*)&own[(group + i * GROUPS) * line + d];
#pragma unroll
      for (int j = 0; j < R; j++) {
        scores[i][j] += a.x * b[j].x + a.y * b[j].y + a.z * b[j].z + a.w * b[j].w;
      }
    }
  }
}

/* results [R][QUADS] += weights [own][passing] . passing rows of this thread. */
template <int R>
DEVICE void add_weighted(float4 (&results)[R][Tile<R>::QUADS], const float* weights,
                         const float* passing, int line) {
  int group = threadIdx.x / LANES;
  int lane = threadIdx.x % LANES;
  for (int row = 0; row < Tile<R>::PASSING; row++) {
    float weight[R];
#pragma unroll
    for (int i = 0; i < R; i++) {
      weight[i] = weights[(group + i * GROUPS) * (Tile<R>::PASSING + PAD) + row];
    }
#pragma unroll
    for (int c = 0; c < Tile<R>::QUADS; c++) {
      int column = (lane + c * LANES) * 4;
      if (column < line - PAD) {
        float4 v = *(const float4*)&passing[row * line + column];
#pragma unroll
        for (int i = 0; i < R; i++) {
          results[i][c].x += weight[i] * v.x;
          results[i][c].y += weight[i] * v.y;
          results[i][c].z += weight[i] * v.z;
          results[i][c].w += weight[i] * v.w;
        }
      }
    }
  }
}

/* Hands weights [R][R] of this thread to the block; a barrier must follow. */
template <int R>
DEVICE void share_weights(float* shared, const float (&weights)[R][R]) {
  int group = threadIdx.x / LANES;
  int lane = threadIdx.x % LANES;
#pragma unroll
  for (int i = 0; i < R; i++) {
#pragma unroll
    for (int j = 0; j < R; j++) {
      shared[(group + i * GROUPS) * (Tile<R>::PASSING + PAD) + lane + j * LANES] = weights[i][j];
    }
  }
}

/* Results of this thread, each row times a factor, to `rows` rows of a matrix. */
template <int R>
DEVICE void store_rows(float* out, size_t stride, const float4 (&results)[R][Tile<R>::QUADS],
                       const float (&factors)[R], int rows, int width) {
#pragma unroll
  for (int i = 0; i < R; i++) {
    int row = threadIdx.x / LANES + i * GROUPS;
    float f = factors[i];
#pragma unroll
    for (int c = 0; c < Tile<R>::QUADS; c++) {
      int column = (threadIdx.x % LANES + c * LANES) * 4;
      float4 v = results[i][c];
      float* to = out + row * stride + column;
      int left = row < rows ? width - column : 0;
      if (left > 0) to[0] = v.x * f;
      if (left > 1) to[1] = v.y * f;
      if (left > 2) to[2] = v.z * f;
      if (left > 3) to[3] = v.w * f;
    }
  }
}
