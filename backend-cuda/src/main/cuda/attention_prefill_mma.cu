// also: compute_80
/*
 * Attention of many rows over F16 caches on matrix units (Dao 2023): queries, keys, values and
 * weights of 16 bits, sums in F32.
 *   attention_prefill_mma_<n>: out [rows, heads * head_dim], lse [rows, heads] or null, for the
 *       rows of tiles of runs of KIND_F16; others stay out. n: 64, 96 or 128, at least head_dim,
 *       which is a multiple of 8
 * tiles: {run, first row within the run}, TILE_ROWS rows or what is left of the run.
 * Launch: grid (tiles, heads), blocks of 128.
 *
 * Each of four warps owns 16 queries, whose fragments stay in registers. A page of keys and a page
 * of values at a time are in shared memory: while scores of one page become weights, the next
 * page's keys arrive, and while its scores are formed, its values.
 */
#include "attention.cuh"

constexpr int THREADS = 128;
constexpr int KEY_TILES = KV_PAGE / 8; /* fragments of eight keys */

template <int N>
struct Width {
  static constexpr int LINE = N + 8; /* eight rows that are read at once lie in different banks */
  static constexpr int STEPS = N / 16;
  static constexpr int VALUE_TILES = N / 8;
};

/* Starts the copy of a page; zeros for positions outside [begin, end) and beyond the head. */
template <int N>
DEVICE void copy_page(half_bits* to, const half_bits* from, int first, int begin, int end,
                      int head_dim) {
  constexpr int LANES = N > 64 ? 16 : 8; /* that copy a row */
  constexpr int ROWS = THREADS / LANES;
  int row = threadIdx.x / LANES;
  int column = threadIdx.x % LANES * 8;
  if (column < N) {
#pragma unroll
    for (int i = 0; i < KV_PAGE / ROWS; i++) {
      int position = first + row + i * ROWS;
      bool valid = position >= begin && position < end && column < head_dim;
      int at = valid ? (row + i * ROWS) * head_dim + column : 0;
      cp_async16(to + (row + i * ROWS) * Width<N>::LINE + column, from + at, valid);
    }
  }
  cp_async_commit();
}

/* Two neighbouring elements of a query, in base 2; zeros beyond the head. */
DEVICE unsigned load_query(const float* q, int column, int head_dim, bool there, float scale) {
  bool inside = there && column < head_dim;
  return pack_half2(inside ? q[column] * scale : 0, inside ? q[column + 1] * scale : 0);
}

/* The fragments of a warp's 16 queries: this lane has parts of two of them, eight rows apart. */
template <int N>
DEVICE void load_queries(unsigned (&fragments)[Width<N>::STEPS][4], const float* q, size_t stride,
                         int rows, int head_dim, float scale) {
  int row = warp_index() * 16 + lane_index() / 4;
#pragma unroll
  for (int k = 0; k < Width<N>::STEPS; k++) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      int r = row + i % 2 * 8;
      int column = k * 16 + i / 2 * 8 + lane_index() % 4 * 2;
      fragments[k][i] =
          load_query(q + (r < rows ? r : 0) * stride, column, head_dim, r < rows, scale);
    }
  }
}

template <int N>
DEVICE void multiply_keys(float (&scores)[KEY_TILES][4], const unsigned (&q)[Width<N>::STEPS][4],
                          const half_bits* keys) {
  int lane = lane_index();
  const half_bits* row = keys + (lane % 8 + lane / 16 * 8) * Width<N>::LINE + lane / 8 % 2 * 8;
#pragma unroll
  for (int k = 0; k < Width<N>::STEPS; k++) {
#pragma unroll
    for (int j = 0; j < KEY_TILES; j += 2) {
      unsigned b[4];
      ldmatrix_x4(b, row + j * 8 * Width<N>::LINE + k * 16);
      mma_f16(scores[j], q[k], b[0], b[1]);
      mma_f16(scores[j + 1], q[k], b[2], b[3]);
    }
  }
}

template <int N>
DEVICE void add_values(float (&results)[Width<N>::VALUE_TILES][4],
                       const float (&weights)[KEY_TILES][4], const half_bits* values) {
  int lane = lane_index();
  const half_bits* row = values + (lane % 8 + lane / 8 % 2 * 8) * Width<N>::LINE + lane / 16 * 8;
#pragma unroll
  for (int k = 0; k < KEY_TILES; k += 2) {
    unsigned a[4] = {pack_half2(weights[k][0], weights[k][1]),
                     pack_half2(weights[k][2], weights[k][3]),
                     pack_half2(weights[k + 1][0], weights[k + 1][1]),
                     pack_half2(weights[k + 1][2], weights[k + 1][3])};
#pragma unroll
    for (int j = 0; j < Width<N>::VALUE_TILES; j += 2) {
      unsigned b[4];
      ldmatrix_x4_trans(b, row + k * 8 * Width<N>::LINE + j * 8);
      mma_f16(results[j], a, b[0], b[1]);
      mma_f16(results[j + 1], a, b[2], b[3]);
    }
  }
}

/* Hides what queries do not see; first: position of the page, query: of this lane's first row. */
DEVICE void mask_scores(float (&scores)[KEY_TILES][4], int first, int query, int window) {
#pragma unroll
  for (int j = 0; j < KEY_TILES; j++) {
#pragma unroll
    for (int i = 0; i < 4; i++) {
      int key = first + j * 8 + lane_index() % 4 * 2 + i % 2;
      int own = query + i / 2 * 8;
      bool seen = key <= own && (window == 0 || key > own - window);
      scores[j][i] = seen ? scores[j][i] : -INFINITY;
    }
  }
}

/* Turns scores into weights, in base 2, and brings earlier results to the new maximum. Four lanes
 * share a row; `sums` are of this lane alone until the end. */
template <int N>
DEVICE void update_softmax(float (&scores)[KEY_TILES][4], float (&largest)[2], float (&sums)[2],
                           float (&results)[Width<N>::VALUE_TILES][4]) {
#pragma unroll
  for (int r = 0; r < 2; r++) {
    float top = -INFINITY;
#pragma unroll
    for (int j = 0; j < KEY_TILES; j++) {
      top = fmaxf(top, fmaxf(scores[j][2 * r], scores[j][2 * r + 1]));
    }
    top = fmaxf(largest[r], warp_max(top, 4));
    float base = top == -INFINITY ? 0 : top;
    float factor = exp2_fast(largest[r] - base);
    largest[r] = top;
    float sum = 0;
#pragma unroll
    for (int j = 0; j < KEY_TILES; j++) {
      scores[j][2 * r] = exp2_fast(scores[j][2 * r] - base);
      scores[j][2 * r + 1] = exp2_fast(scores[j][2 * r + 1] - base);
      sum += scores[j][2 * r] + scores[j][2 * r + 1];
    }
    sums[r] = sums[r] * factor + sum;
#pragma unroll
    for (int j = 0; j < Width<N>::VALUE_TILES; j++) {
      results[j][2 * r] *= factor;
      results[j][2 * r + 1] *= factor;
    }
  }
}

template <int N>
DEVICE void store_results(float* out, float* lse, const float (&largest)[2], const float (&sums)[2],
                          const float (&results)[Width<N>::VALUE_TILES][4], int first_row, int rows,
                          const Shape& shape) {
#pragma unroll
  for (int r = 0; r < 2; r++) {
    float sum = warp_sum(sums[r], 4);
    int row = warp_index() * 16 + lane_index() / 4 + r * 8;
    if (row < rows) {
      size_t at = (size_t)(first_row + row) * shape.heads + blockIdx.y;
      float inverse = 1 / sum;
#pragma unroll
      for (int j = 0; j < Width<N>::VALUE_TILES; j++) {
        int column = j * 8 + lane_index() % 4 * 2;
        if (column < shape.head_dim) {
          out[at * shape.head_dim + column] = results[j][2 * r] * inverse;
          out[at * shape.head_dim + column + 1] = results[j][2 * r + 1] * inverse;
        }
      }
      if (lse != nullptr && lane_index() % 4 == 0) {
        lse[at] = largest[r] * LN_2 + logf(sum);
      }
    }
  }
}

template <int N>
DEVICE void attention_prefill_mma_body(float* out, float* lse, const float* q, const int2* tiles,
                                       const Run* runs, const Shape& shape, float scale,
                                       int window) {
  __shared__ __align__(16) half_bits keys[KV_PAGE * Width<N>::LINE];
  __shared__ __align__(16) half_bits values[KV_PAGE * Width<N>::LINE];
  int2 tile = tiles[gridDim.x - 1 - blockIdx.x]; /* later rows see more: they come first */
  const Run& run = runs[tile.x];
  if (run.kind != KIND_F16) {
    return;
  }
  int rows = min(TILE_ROWS, run.count - tile.y);
  int first_row = run.first_row + tile.y;
  int position = run.first_position + tile.y; /* of the tile's first row */
  int begin = first_visible<KIND_F16>(run, position, window);
  int end = position + rows;
  int kv_head = blockIdx.y / (shape.heads / shape.kv_heads);
  unsigned fragments[Width<N>::STEPS][4];
  load_queries<N>(fragments, q + ((size_t)first_row * shape.heads + blockIdx.y) * shape.head_dim,
                  (size_t)shape.heads * shape.head_dim, rows, shape.head_dim, scale * LOG2_E);
  float largest[2] = {-INFINITY, -INFINITY};
  float sums[2] = {};
  float results[Width<N>::VALUE_TILES][4] = {};
  int page = begin / KV_PAGE;
  int last_page = (end - 1) / KV_PAGE;
  copy_page<N>(keys, plane_of<KIND_F16>(run, nullptr, 0, shape, kv_head, page).at, page * KV_PAGE,
               begin, end, shape.head_dim);
  copy_page<N>(values, plane_of<KIND_F16>(run, nullptr, 1, shape, kv_head, page).at, page * KV_PAGE,
               begin, end, shape.head_dim);
  for (; page <= last_page; page++) {
    int first = page * KV_PAGE;
    float scores[KEY_TILES][4] = {};
    cp_async_wait<1>();
    __syncthreads(); /* Keys are there. */
    multiply_keys<N>(scores, fragments, keys);
    __syncthreads(); /* Keys have been read. */
    if (page < last_page) {
      copy_page<N>(keys, plane_of<KIND_F16>(run, nullptr, 0, shape, kv_head, page + 1).at,
                   first + KV_PAGE, begin, end, shape.head_dim);
    } else {
      cp_async_commit(); /* so that the wait below always leaves one group */
    }
    if (first + KV_PAGE > position || window != 0) {
      mask_scores(scores, first, position + warp_index() * 16 + lane_index() / 4, window);
    }
    update_softmax<N>(scores, largest, sums, results);
    cp_async_wait<1>();
    __syncthreads(); /* Values are there. */
    add_values<N>(results, scores, values);
    __syncthreads(); /* Values have been read. */
    if (page < last_page) {
      copy_page<N>(values, plane_of<KIND_F16>(run, nullptr, 1, shape, kv_head, page + 1).at,
                   first + KV_PAGE, begin, end, shape.head_dim);
    }
  }
  store_results<N>(out, lse, largest, sums, results, first_row, rows, shape);
}

#define ATTENTION_PREFILL_MMA(n)                                                                \
  extern "C" __global__ void __launch_bounds__(THREADS, 3) attention_prefill_mma_##n(           \
      float* out, float* lse, const float* q, const int2* tiles, const Run* runs, int layer,    \
      int heads, int kv_heads, int head_dim, float scale, int window) {                         \
    attention_prefill_mma_body<n>(out, lse, q, tiles, runs, {layer, heads, kv_heads, head_dim}, \
                                  scale, window);                                               \
  }                                                                                             \
  KERNEL(attention_prefill_mma_##n)

ATTENTION_PREFILL_MMA(64)
ATTENTION_PREFILL_MMA(96)
ATTENTION_PREFILL_MMA(128)
