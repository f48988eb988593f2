/*
 * Gradients of attention without caches (Dao et al. 2022, algorithm 4), in F32 arithmetic. With
 * P = exp(scale * q . k - lse), dP = dout . v, dS = P * (dP - delta):
 *   attention_delta:      delta [rows, heads] = dout . out of each head; count = rows * heads
 *   attention_grad_q_<n>: dq = scale * dS . k
 *   attention_grad_kv_<n>: dk = scale * dS^T . q, dv = P^T . dout, over all heads that share a key
 * Queries and keys are gone through twice, so that nothing is summed by atomics: results are the
 * same in every run.
 * tiles: {run, first row within the run} of all runs, also short ones; n: head_dim is at most 128
 * or 256. With dropout, seen weights are P' = P * factor or 0: dv takes P', dP takes the same
 * factor. layer, seed, threshold, factor: see attention.cuh; seed is null for none.
 * Launch: attention_delta: grid ceil(count / 4), blocks of 128; attention_grad_q: grid (tiles,
 * heads, 1 for _128, 2 for _256); attention_grad_kv: grid (tiles, kv_heads, as before); blocks of
 * 128; dynamic shared memory of 4 * ((2 * BR + BC) * (P + 4) + BR * (BC + 4)) bytes, P = head_dim
 * rounded up to 32, with BR = 64, BC = 32 for _128 and BR = 32, BC = 16 for _256. _256 takes
 * smaller heads as well, where shared memory is short.
 */
#include "attention_tiles.cuh"

extern "C" __global__ void attention_delta(float* delta, const float* dout, const float* out,
                                           int count, int head_dim) {
  int index = blockIdx.x * (blockDim.x / WARP) + warp_index();
  float sum = 0;
  for (int i = lane_index(); index < count && i < head_dim; i += WARP) {
    size_t at = (size_t)index * head_dim + i;
    sum += dout[at] * out[at];
  }
  sum = warp_sum(sum);
  if (index < count && lane_index() == 0) {
    delta[index] = sum;
  }
}
KERNEL(attention_delta)

/* What the query with an index in its run sees of keys of the run. */
struct Mask {
  const Dropout& dropout;
  const Run& run;
  int query;
  int window;
  unsigned hash;

  DEVICE Mask(const Dropout& dropout, const Shape& s, const Run& run, int head, int query,
              int window)
      : dropout(dropout), run(run), query(query), window(window), hash(0) {
    if (dropout.seed != nullptr) {
      hash = query_hash(dropout, s.layer, head, run.first_row + query);
    }
  }

  DEVICE bool sees(int key) const {
    return key <= query && (window == 0 || key > query - window) && query < run.count;
  }

  /* What dropout multiplies the weight with. */
  DEVICE float factor(int key) const {
    return dropout.seed == nullptr ? 1 : dropout_factor(dropout, hash, run.first_row + key);
  }
};

/* Rows of a run of one head. */
struct Rows {
  const float* data;
  size_t stride;
};

DEVICE Rows rows_of(const float* data, const Run& run, int heads, int head, int head_dim) {
  size_t at = (size_t)run.first_row * heads + head;
  return {data + at * head_dim, (size_t)heads * head_dim};
}

/* The rows from `first` on to shared memory; zeros beyond the run. */
DEVICE void copy_run(float* to, int line, const Rows& rows, int first, int count, int end,
                     int head_dim) {
  copy_rows(to, line, rows.data + first * rows.stride, rows.stride, count, 0, end - first, head_dim,
            1.0f);
}

/* Shared memory of a block. */
template <int R>
struct Buffers {
  int line;
  float* first;   /* own rows: queries, or keys */
  float* second;  /* own rows: dout, or values */
  float* passing; /* rows of the other side */
  float* weights;

  DEVICE Buffers(float* shared, int head_dim) {
    line = (head_dim + 31) / 32 * 32 + PAD;
    first = shared;
    second = first + Tile<R>::OWN * line;
    passing = second + Tile<R>::OWN * line;
    weights = passing + Tile<R>::PASSING * line;
  }
};

template <int R>
DEVICE void attention_grad_q_body(float* dq, const float* dout, const float* delta,
                                  const float* lse, const float* q, const float* k, const float* v,
                                  const int2* tiles, const Run* runs, const Shape& s, float scale,
                                  int window, Dropout dropout) {
  DYNAMIC_SHARED(float, shared);
  Buffers<R> b(shared, s.head_dim);
  const Run& run = runs[tiles[blockIdx.x].x];
  int own = tiles[blockIdx.x].y + blockIdx.z * Tile<R>::OWN;
  if (own >= run.count) {
    return;
  }
  int head = blockIdx.y;
  int kv_head = head / (s.heads / s.kv_heads);
  Rows keys = rows_of(k, run, s.kv_heads, kv_head, s.head_dim);
  Rows values = rows_of(v, run, s.kv_heads, kv_head, s.head_dim);
  copy_run(b.first, b.line, rows_of(q, run, s.heads, head, s.head_dim), own, Tile<R>::OWN,
           run.count, s.head_dim);
  copy_run(b.second, b.line, rows_of(dout, run, s.heads, head, s.head_dim), own, Tile<R>::OWN,
           run.count, s.head_dim);
  float4 results[R][Tile<R>::QUADS] = {};
  float factors[R];
  float lses[R];
  float deltas[R];
#pragma unroll
  for (int i = 0; i < R; i++) {
    int query = min(own + (int)threadIdx.x / LANES + i * GROUPS, run.count - 1);
    size_t at = (size_t)(run.first_row + query) * s.heads + head;
    factors[i] = scale;
    lses[i] = lse[at];
    deltas[i] = delta[at];
  }
  int begin = window == 0 ? 0 : max(0, own - window + 1);
  int end = min(own + Tile<R>::OWN, run.count);
  for (int first = begin; first < end; first += Tile<R>::PASSING) {
    float scores[R][R] = {};
    float products[R][R] = {};
    __syncthreads(); /* The keys before have been read. */
    copy_run(b.passing, b.line, values, first, Tile<R>::PASSING, run.count, s.head_dim);
    __syncthreads();
    multiply_tiles<R>(products, b.second, b.passing, b.line);
    __syncthreads();
    copy_run(b.passing, b.line, keys, first, Tile<R>::PASSING, run.count, s.head_dim);
    __syncthreads();
    multiply_tiles<R>(scores, b.first, b.passing, b.line);
#pragma unroll
    for (int i = 0; i < R; i++) {
      int query = own + threadIdx.x / LANES + i * GROUPS;
      Mask mask(dropout, s, run, head, query, window);
#pragma unroll
      for (int j = 0; j < R; j++) {
        int key = first + threadIdx.x % LANES + j * LANES;
        float p = exp2_fast((scores[i][j] * scale - lses[i]) * LOG2_E);
        float dp = products[i][j] * mask.factor(key);
        scores[i][j] = mask.sees(key) ? p * (dp - deltas[i]) : 0;
      }
    }
    share_weights<R>(b.weights, scores);
    __syncthreads();
    add_weighted<R>(results, b.weights, b.passing, b.line);
  }
  size_t at = (size_t)(run.first_row + own) * s.heads + head;
  store_rows<R>(dq + at * s.head_dim, (size_t)s.heads * s.head_dim, results, factors, end - own,
                s.head_dim);
}

/* One head of a run, as a tile of its keys and values sees it. */
struct Head {
  int index;
  Rows queries;
  Rows douts;
  const float* lse;   /* of the run's first query */
  const float* delta; /* likewise */
};

/* Takes queries from `first` on into the gradients of the keys and values from `own` on. */
template <int R>
DEVICE void add_queries(float4 (&dk)[R][Tile<R>::QUADS], float4 (&dv)[R][Tile<R>::QUADS],
                        const Buffers<R>& b, const Head& head, const Run& run, const Shape& s,
                        int own, int first, float scale, int window, const Dropout& dropout) {
  float weights[R][R] = {};
  float products[R][R] = {};
  __syncthreads(); /* What lay there before has been read. */
  copy_run(b.passing, b.line, head.queries, first, Tile<R>::PASSING, run.count, s.head_dim);
  __syncthreads();
  multiply_tiles<R>(weights, b.first, b.passing, b.line);
  __syncthreads();
  copy_run(b.passing, b.line, head.douts, first, Tile<R>::PASSING, run.count, s.head_dim);
  __syncthreads();
  multiply_tiles<R>(products, b.second, b.passing, b.line);
#pragma unroll
  for (int j = 0; j < R; j++) {
    int query = first + threadIdx.x % LANES + j * LANES;
    size_t at = (size_t)min(query, run.count - 1) * s.heads;
    Mask mask(dropout, s, run, head.index, query, window);
#pragma unroll
    for (int i = 0; i < R; i++) {
      int key = own + threadIdx.x / LANES + i * GROUPS;
      float factor = mask.factor(key);
      float p = exp2_fast((weights[i][j] * scale - head.lse[at]) * LOG2_E);
      p = mask.sees(key) ? p : 0;
      weights[i][j] = p * factor;
      products[i][j] = p * (products[i][j] * factor - head.delta[at]);
    }
  }
  share_weights<R>(b.weights, weights);
  __syncthreads();
  add_weighted<R>(dv, b.weights, b.passing, b.line);
  __syncthreads();
  share_weights<R>(b.weights, products);
  copy_run(b.passing, b.line, head.queries, first, Tile<R>::PASSING, run.count, s.head_dim);
  __syncthreads();
  add_weighted<R>(dk, b.weights, b.passing, b.line);
}

template <int R>
DEVICE void attention_grad_kv_body(float* dk, float* dv, const float* dout, const float* delta,
                                   const float* lse, const float* q, const float* k, const float* v,
                                   const int2* tiles, const Run* runs, const Shape& s, float scale,
                                   int window, Dropout dropout) {
  DYNAMIC_SHARED(float, shared);
  Buffers<R> b(shared, s.head_dim);
  const Run& run = runs[tiles[blockIdx.x].x];
  int own = tiles[blockIdx.x].y + blockIdx.z * Tile<R>::OWN;
  if (own >= run.count) {
    return;
  }
  int kv_head = blockIdx.y;
  int group = s.heads / s.kv_heads;
  copy_run(b.first, b.line, rows_of(k, run, s.kv_heads, kv_head, s.head_dim), own, Tile<R>::OWN,
           run.count, s.head_dim);
  copy_run(b.second, b.line, rows_of(v, run, s.kv_heads, kv_head, s.head_dim), own, Tile<R>::OWN,
           run.count, s.head_dim);
  float4 dks[R][Tile<R>::QUADS] = {};
  float4 dvs[R][Tile<R>::QUADS] = {};
  int rows = min(Tile<R>::OWN, run.count - own);
  int end = window == 0 ? run.count : min(run.count, own + rows - 1 + window);
  for (int head = kv_head * group; head < (kv_head + 1) * group; head++) {
    size_t at = (size_t)run.first_row * s.heads + head;
    Head of = {head, rows_of(q, run, s.heads, head, s.head_dim),
               rows_of(dout, run, s.heads, head, s.head_dim), lse + at, delta + at};
    for (int first = own; first < end; first += Tile<R>::PASSING) {
      add_queries<R>(dks, dvs, b, of, run, s, own, first, scale, window, dropout);
    }
  }
  float scales[R];
  float ones[R];
#pragma unroll
  for (int i = 0; i < R; i++) {
    scales[i] = scale;
    ones[i] = 1;
  }
  size_t at = ((size_t)(run.first_row + own) * s.kv_heads + kv_head) * s.head_dim;
  size_t stride = (size_t)s.kv_heads * s.head_dim;
  store_rows<R>(dk + at, stride, dks, scales, rows, s.head_dim);
  store_rows<R>(dv + at, stride, dvs, ones, rows, s.head_dim);
}

#define ATTENTION_GRAD(n, r)                                                                      \
  extern "C" __global__ void __launch_bounds__(THREADS)                                           \
      attention_grad_q_##n(float* dq, const float* dout, const float* delta, const float* lse,    \
                           const float* q, const float* k, const float* v, const int2* tiles,     \
                           const Run* runs, int heads, int kv_heads, int head_dim, float scale,   \
                           int window, int layer, const int* seed, int threshold, float factor) { \
    attention_grad_q_body<r>(dq, dout, delta, lse, q, k, v, tiles, runs,                          \
                             {layer, heads, kv_heads, head_dim}, scale, window,                   \
                             {seed, threshold, factor});                                          \
  }                                                                                               \
  KERNEL(attention_grad_q_##n)                                                                    \
  extern "C" __global__ void __launch_bounds__(THREADS) attention_grad_kv_##n(                    \
      float* dk, float* dv, const float* dout, const float* delta, const float* lse,              \
      const float* q, const float* k, const float* v, const int2* tiles, const Run* runs,         \
      int heads, int kv_heads, int head_dim, float scale, int window, int layer, const int* seed, \
      int threshold, float factor) {                                                              \
    attention_grad_kv_body<r>(dk, dv, dout, delta, lse, q, k, v, tiles, runs,                     \
                              {layer, heads, kv_heads, head_dim}, scale, window,                  \
                              {seed, threshold, factor});                                         \
  }                                                                                               \
  KERNEL(attention_grad_kv_##n)

ATTENTION_GRAD(128, 4)
ATTENTION_GRAD(256, 2)
