/*
 * Attention of many rows in F32 arithmetic (Dao et al. 2022, algorithm 1): of documents, of F32
 * caches, and of F16 caches with heads that attention_prefill_mma.cu does not take.
 *   attention_prefill_<kind>_<n>: out [rows, heads * head_dim], lse [rows, heads] or null, for the
 *       rows of tiles of runs of this kind; others stay out. kind: rows, f32, f16; n: head_dim is at
 *       most 128 or 256
 * tiles: {run, first row within the run}, TILE_ROWS rows or what is left of the run.
 * Launch: grid (tiles, heads, 1 for _128, 2 for _256), blocks of 128; dynamic shared memory of
 * 4 * (BR * (P + 4) + BC * (P + 4) + BR * (BC + 4)) bytes, P = head_dim rounded up to 32, with
 * BR = 64, BC = 32 for _128 and BR = 32, BC = 16 for _256.
 *
 * A block owns BR queries of one head; BC keys, then their values, pass through shared memory. Eight
 * lanes share a query: a thread has R queries and R keys of the scores, and R queries and every
 * eighth group of four elements of the results.
 */
#include "attention.cuh"

constexpr int THREADS = 128;
constexpr int QUERY_LANES = 8;
constexpr int QUERY_GROUPS = THREADS / QUERY_LANES;
constexpr int PAD = 4; /* spreads rows over the banks of shared memory */

/* Tiles of R queries and R keys to a thread. */
template <int R>
struct Size {
  static constexpr int QUERIES = R * QUERY_GROUPS;
  static constexpr int KEYS = R * QUERY_LANES;
  static constexpr int QUADS = 512 / R / (4 * QUERY_LANES); /* of a head of 512 / R elements */
};

DEVICE float element(const float* p) { return *p; }

DEVICE float element(const half_bits* p) { return half_to_float(*p); }

/* Rows of a matrix to shared memory, with zeros beyond `count` rows and `width` elements. */
template <class T>
DEVICE void copy_rows(float* to, int line, const T* from, size_t stride, int rows, int first,
                      int count, int width, float factor) {
  for (int i = threadIdx.x; i < rows * (line - PAD); i += THREADS) {
    int row = i / (line - PAD);
    int column = i % (line - PAD);
    bool there = row >= first && row < count && column < width;
    to[row * line + column] = there ? element(from + row * stride + column) * factor : 0;
  }
}

/* scores [R][R] = queries . keys of this thread. */
template <int R>
DEVICE void multiply_keys(float (&scores)[R][R], const float* queries, const float* keys,
                          int line) {
  int group = threadIdx.x / QUERY_LANES;
  int lane = threadIdx.x % QUERY_LANES;
  for (int d = 0; d < line - PAD; d += 4) {
    float4 key[R];
#pragma unroll
    for (int j = 0; j < R; j++) {
      key[j] = *(const float4*)&keys[(lane + j * QUERY_LANES) * line + d];
    }
#pragma unroll
    for (int i = 0; i < R; i++) {
      float4 q = *(const float4*)&queries[(group + i * QUERY_GROUPS) * line + d];
#pragma unroll
      for (int j = 0; j < R; j++) {
        scores[i][j] += q.x * key[j].x + q.y * key[j].y + q.z * key[j].z + q.w * key[j].w;
      }
    }
  }
}

/* results [R][QUADS] += weights [queries][keys] . values of this thread. */
template <int R>
DEVICE void add_values(float4 (&results)[R][Size<R>::QUADS], const float* weights,
                       const float* values, int line) {
  int group = threadIdx.x / QUERY_LANES;
  int lane = threadIdx.x % QUERY_LANES;
  for (int key = 0; key < Size<R>::KEYS; key++) {
    float weight[R];
#pragma unroll
    for (int i = 0; i < R; i++) {
      weight[i] = weights[(group + i * QUERY_GROUPS) * (Size<R>::KEYS + PAD) + key];
    }
#pragma unroll
    for (int c = 0; c < Size<R>::QUADS; c++) {
      int column = (lane + c * QUERY_LANES) * 4;
      if (column < line - PAD) {
        float4 v = *(const float4*)&values[key * line + column];
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

/* Turns scores into weights, in base 2, and brings earlier results to the new maximum. */
template <int R>
DEVICE void update_softmax(float (&scores)[R][R], float (&largest)[R], float (&sums)[R],
                           float4 (&results)[R][Size<R>::QUADS]) {
#pragma unroll
  for (int i = 0; i < R; i++) {
    float top = scores[i][0];
#pragma unroll
    for (int j = 1; j < R; j++) {
      top = fmaxf(top, scores[i][j]);
    }
    top = fmaxf(largest[i], warp_max(top, QUERY_LANES));
    float base = top == -INFINITY ? 0 : top;
    float factor = exp2_fast(largest[i] - base);
    largest[i] = top;
    float sum = 0;
#pragma unroll
    for (int j = 0; j < R; j++) {
      scores[i][j] = exp2_fast(scores[i][j] - base);
      sum += scores[i][j];
    }
    sums[i] = sums[i] * factor + warp_sum(sum, QUERY_LANES);
#pragma unroll
    for (int c = 0; c < Size<R>::QUADS; c++) {
      results[i][c].x *= factor;
      results[i][c].y *= factor;
      results[i][c].z *= factor;
      results[i][c].w *= factor;
    }
  }
}

template <int R>
DEVICE void store_results(float* out, float* lse, const float (&largest)[R],
                          const float (&sums)[R], const float4 (&results)[R][Size<R>::QUADS],
                          int first_row, int rows, const Shape& shape) {
#pragma unroll
  for (int i = 0; i < R; i++) {
    int row = threadIdx.x / QUERY_LANES + i * QUERY_GROUPS;
    if (row < rows) {
      size_t at = (size_t)(first_row + row) * shape.heads + blockIdx.y;
      float inverse = 1 / sums[i];
#pragma unroll
      for (int c = 0; c < Size<R>::QUADS; c++) {
        int column = (threadIdx.x % QUERY_LANES + c * QUERY_LANES) * 4;
        float4 v = results[i][c];
        float* to = out + at * shape.head_dim + column;
        int left = shape.head_dim - column;
        if (left > 0) to[0] = v.x * inverse;
        if (left > 1) to[1] = v.y * inverse;
        if (left > 2) to[2] = v.z * inverse;
        if (left > 3) to[3] = v.w * inverse;
      }
      if (lse != nullptr && threadIdx.x % QUERY_LANES == 0) {
        lse[at] = largest[i] * LN_2 + logf(sums[i]);
      }
    }
  }
}

template <int KIND, int R>
DEVICE void attention_prefill_body(float* out, float* lse, const float* q, const float* k,
                                   const float* v, const int2* tiles, const Run* runs,
                                   const Shape& shape, float scale, int window) {
  constexpr int QUERIES = Size<R>::QUERIES;
  constexpr int KEYS = Size<R>::KEYS;
  int2 tile = tiles[gridDim.x - 1 - blockIdx.x]; /* later rows see more: they come first */
  const Run& run = runs[tile.x];
  int in_run = tile.y + blockIdx.z * QUERIES;
  int rows = min(QUERIES, run.count - in_run);
  if (run.kind != KIND || rows <= 0) {
    return;
  }
  DYNAMIC_SHARED(float, shared);
  int line = (shape.head_dim + 31) / 32 * 32 + PAD;
  float* queries = shared;
  float* keys = queries + QUERIES * line; /* then their values */
  float* weights = keys + KEYS * line;
  int first_row = run.first_row + in_run;
  int group = threadIdx.x / QUERY_LANES;
  int lane = threadIdx.x % QUERY_LANES;
  int kv_head = blockIdx.y / (shape.heads / shape.kv_heads);
  copy_rows(queries, line, q + ((size_t)first_row * shape.heads + blockIdx.y) * shape.head_dim,
            (size_t)shape.heads * shape.head_dim, QUERIES, 0, rows, shape.head_dim,
            scale * LOG2_E);
  float largest[R];
  float sums[R] = {};
  float4 results[R][Size<R>::QUADS] = {};
#pragma unroll
  for (int i = 0; i < R; i++) {
    largest[i] = -INFINITY;
  }
  int position = run.first_position + in_run; /* of the tile's first row */
  int begin = first_visible<KIND>(run, position, window);
  int end = position + rows;
  for (int first = begin / KEYS * KEYS; first < end; first += KEYS) {
    Plane<KIND> plane = plane_of<KIND>(run, k, 0, shape, kv_head, first / KV_PAGE);
    size_t offset = (size_t)(first % KV_PAGE) * plane.stride;
    __syncthreads(); /* The values before have been read. */
    copy_rows(keys, line, plane.at + offset, plane.stride, KEYS, begin - first, end - first,
              shape.head_dim, 1.0f);
    __syncthreads();
    float scores[R][R] = {};
    multiply_keys<R>(scores, queries, keys, line);
#pragma unroll
    for (int i = 0; i < R; i++) {
      int own = position + group + i * QUERY_GROUPS;
      int from = first_visible<KIND>(run, own, window);
#pragma unroll
      for (int j = 0; j < R; j++) {
        int p = first + lane + j * QUERY_LANES;
        scores[i][j] = p >= from && p <= own && p < end ? scores[i][j] : -INFINITY;
      }
    }
    update_softmax<R>(scores, largest, sums, results);
#pragma unroll
    for (int i = 0; i < R; i++) {
#pragma unroll
      for (int j = 0; j < R; j++) {
        int at = (group + i * QUERY_GROUPS) * (KEYS + PAD) + lane + j * QUERY_LANES;
        weights[at] = scores[i][j];
      }
    }
    __syncthreads(); /* The keys have been read. */
    plane = plane_of<KIND>(run, v, 1, shape, kv_head, first / KV_PAGE);
    copy_rows(keys, line, plane.at + offset, plane.stride, KEYS, begin - first, end - first,
              shape.head_dim, 1.0f);
    __syncthreads();
    add_values<R>(results, weights, keys, line);
  }
  store_results<R>(out, lse, largest, sums, results, first_row, rows, shape);
}

#define ATTENTION_PREFILL(name, kind, r)                                                          \
  extern "C" __global__ void __launch_bounds__(THREADS)                                           \
      name(float* out, float* lse, const float* q, const float* k, const float* v,                \
           const int2* tiles, const Run* runs, int layer, int heads, int kv_heads, int head_dim,  \
           float scale, int window) {                                                             \
    attention_prefill_body<kind, r>(out, lse, q, k, v, tiles, runs,                               \
                                    {layer, heads, kv_heads, head_dim}, scale, window);           \
  }                                                                                               \
  KERNEL(name)

ATTENTION_PREFILL(attention_prefill_rows_128, KIND_ROWS, 4)
ATTENTION_PREFILL(attention_prefill_f32_128, KIND_F32, 4)
ATTENTION_PREFILL(attention_prefill_f16_128, KIND_F16, 4)
ATTENTION_PREFILL(attention_prefill_rows_256, KIND_ROWS, 2)
ATTENTION_PREFILL(attention_prefill_f32_256, KIND_F32, 2)
ATTENTION_PREFILL(attention_prefill_f16_256, KIND_F16, 2)
