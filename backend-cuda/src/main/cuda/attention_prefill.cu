/*
 * Attention of many rows in F32 arithmetic (Dao et al. 2022, algorithm 1): of documents, of F32
 * caches, and of F16 caches with heads that attention_prefill_mma.cu does not take.
 *   attention_prefill_<kind>_<n>: out [rows, heads * head_dim], lse [rows, heads] or null, for the
 *       rows of tiles of runs of this kind; others stay out. kind: rows, f32, f16; n: head_dim is
 *       at most 128 or 256
 * tiles: {run, first row within the run}, TILE_ROWS rows or what is left of the run. seed,
 * threshold, factor: dropout, see attention.cuh; of kind rows only, seed is null for none.
 * Launch: grid (tiles, heads, 1 for _128, 2 for _256), blocks of 128; dynamic shared memory of
 * 4 * (BR * (P + 4) + BC * (P + 4) + BR * (BC + 4)) bytes, P = head_dim rounded up to 32, with
 * BR = 64, BC = 32 for _128 and BR = 32, BC = 16 for _256.
 *
 * A block owns BR queries of one head; BC keys, then their values, pass through shared memory.
 */
#include "attention_tiles.cuh"

/* Turns scores into weights, in base 2, and brings earlier results to the new maximum. */
template <int R>
DEVICE void update_softmax(float (&scores)[R][R], float (&largest)[R], float (&sums)[R],
                           float4 (&results)[R][Tile<R>::QUADS]) {
#pragma unroll
  for (int i = 0; i < R; i++) {
    float top = scores[i][0];
#pragma unroll
    for (int j = 1; j < R; j++) {
      top = fmaxf(top, scores[i][j]);
    }
    top = fmaxf(largest[i], warp_max(top, LANES));
    float base = top == -INFINITY ? 0 : top;
    float factor = exp2_fast(largest[i] - base);
    largest[i] = top;
    float sum = 0;
#pragma unroll
    for (int j = 0; j < R; j++) {
      scores[i][j] = exp2_fast(scores[i][j] - base);
      sum += scores[i][j];
    }
    sums[i] = sums[i] * factor + warp_sum(sum, LANES);
#pragma unroll
    for (int c = 0; c < Tile<R>::QUADS; c++) {
      results[i][c].x *= factor;
      results[i][c].y *= factor;
      results[i][c].z *= factor;
      results[i][c].w *= factor;
    }
  }
}

template <int R>
DEVICE void store_results(float* out, float* lse, const float (&largest)[R], const float (&sums)[R],
                          const float4 (&results)[R][Tile<R>::QUADS], int first_row, int rows,
                          const Shape& shape) {
  size_t first = (size_t)first_row * shape.heads + blockIdx.y;
  float inverses[R];
#pragma unroll
  for (int i = 0; i < R; i++) {
    int row = threadIdx.x / LANES + i * GROUPS;
    inverses[i] = 1 / sums[i];
    if (lse != nullptr && row < rows && threadIdx.x % LANES == 0) {
      lse[first + (size_t)row * shape.heads] = largest[i] * LN_2 + logf(sums[i]);
    }
  }
  store_rows<R>(out + first * shape.head_dim, (size_t)shape.heads * shape.head_dim, results,
                inverses, rows, shape.head_dim);
}

/* first_query, first_key: rows of the batch. */
template <int R>
DEVICE void drop_weights(float (&weights)[R][R], const Dropout& dropout, const Shape& shape,
                         int first_query, int first_key) {
#pragma unroll
  for (int i = 0; i < R; i++) {
    int query = first_query + threadIdx.x / LANES + i * GROUPS;
    unsigned hash = query_hash(dropout, shape.layer, blockIdx.y, query);
#pragma unroll
    for (int j = 0; j < R; j++) {
      int key = first_key + threadIdx.x % LANES + j * LANES;
      weights[i][j] *= dropout_factor(dropout, hash, key);
    }
  }
}

template <int KIND, int R>
DEVICE void attention_prefill_body(float* out, float* lse, const float* q, const float* k,
                                   const float* v, const int2* tiles, const Run* runs,
                                   const Shape& shape, float scale, int window, Dropout dropout) {
  constexpr int QUERIES = Tile<R>::OWN;
  constexpr int KEYS = Tile<R>::PASSING;
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
  int group = threadIdx.x / LANES;
  int lane = threadIdx.x % LANES;
  int kv_head = blockIdx.y / (shape.heads / shape.kv_heads);
  copy_rows(queries, line, q + ((size_t)first_row * shape.heads + blockIdx.y) * shape.head_dim,
            (size_t)shape.heads * shape.head_dim, QUERIES, 0, rows, shape.head_dim, scale * LOG2_E);
  float largest[R];
  float sums[R] = {};
  float4 results[R][Tile<R>::QUADS] = {};
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
    multiply_tiles<R>(scores, queries, keys, line);
#pragma unroll
    for (int i = 0; i < R; i++) {
      int own = position + group + i * GROUPS;
      int from = first_visible<KIND>(run, own, window);
#pragma unroll
      for (int j = 0; j < R; j++) {
        int p = first + lane + j * LANES;
        scores[i][j] = p >= from && p <= own && p < end ? scores[i][j] : -INFINITY;
      }
    }
    update_softmax<R>(scores, largest, sums, results);
    if (KIND == KIND_ROWS && dropout.seed != nullptr) {
      drop_weights<R>(scores, dropout, shape, first_row,
                      run.first_row + first - run.first_position);
    }
    share_weights<R>(weights, scores);
    __syncthreads(); /* The keys have been read. */
    plane = plane_of<KIND>(run, v, 1, shape, kv_head, first / KV_PAGE);
    copy_rows(keys, line, plane.at + offset, plane.stride, KEYS, begin - first, end - first,
              shape.head_dim, 1.0f);
    __syncthreads();
    add_weighted<R>(results, weights, keys, line);
  }
  store_results<R>(out, lse, largest, sums, results, first_row, rows, shape);
}

#define ATTENTION_PREFILL(name, kind, r)                                                         \
  extern "C" __global__ void __launch_bounds__(THREADS)                                          \
      name(float* out, float* lse, const float* q, const float* k, const float* v,               \
           const int2* tiles, const Run* runs, int layer, int heads, int kv_heads, int head_dim, \
           float scale, int window, const int* seed, int threshold, float factor) {              \
    attention_prefill_body<kind, r>(out, lse, q, k, v, tiles, runs,                              \
                                    {layer, heads, kv_heads, head_dim}, scale, window,           \
                                    {seed, threshold, factor});                                  \
  }                                                                                              \
  KERNEL(name)

ATTENTION_PREFILL(attention_prefill_rows_128, KIND_ROWS, 4)
ATTENTION_PREFILL(attention_prefill_f32_128, KIND_F32, 4)
ATTENTION_PREFILL(attention_prefill_f16_128, KIND_F16, 4)
ATTENTION_PREFILL(attention_prefill_rows_256, KIND_ROWS, 2)
ATTENTION_PREFILL(attention_prefill_f32_256, KIND_F32, 2)
ATTENTION_PREFILL(attention_prefill_f16_256, KIND_F16, 2)
