/*
 * Attention of few rows over long contexts (flash decoding): the context is split over blocks.
 *   attention_decode_<kind>: for each row decode_rows[i], head and split: the row's part of the
 *       attention over the split's positions, to parts [rows][heads][splits][head_dim + 2]: the
 *       sum of exp(score - m) * value, then m (in base 2), then the sum of exp(score - m). Rows of
 *       runs of another kind stay out. kind: rows, f32, f16
 *   attention_merge: parts of all splits to out [all rows, heads * head_dim] and lse [all rows,
 *       heads] or null, at rows decode_rows[i]; quantized: out of all_rows rows in 8 bits as well
 *       (see quantize.cuh; head_dim is then a multiple of 32), or null
 * The number of splits is the launch's, so that a graph can be replayed with any length; each block
 * finds its positions from the row's. The order of all sums depends on length and splits alone.
 * head_dim up to 256.
 * Launch: attention_decode: grid (splits, kv_heads * ceil(heads / kv_heads / 4), rows), blocks of
 * 128; attention_merge: grid (heads, rows), blocks of 128.
 *
 * A lane owns eight elements of a head, so that a group of lanes owns a key and its value; each
 * warp and each group keeps a softmax of its own until the end.
 */
#include "attention.cuh"
#include "quantize.cuh"

constexpr int WARPS = 4;
constexpr int QUERIES = 4; /* heads done together, which share their keys and values */
constexpr int EACH = 8;    /* elements of a lane */

template <int KIND>
struct Piece; /* eight stored elements on their way */

template <>
struct Piece<KIND_F16> {
  static constexpr int IN_FLIGHT = 4; /* keys, and as many values, that a lane waits for */
  uint4 v;

  DEVICE void load(const half_bits* p) { v = *(const uint4*)p; }

  DEVICE void set(int i, half_bits e) {
    unsigned bits = (unsigned)e << i % 2 * 16;
    unsigned keep = i % 2 ? 0xffffu : 0xffff0000u;
    unsigned& word = i / 2 == 0 ? v.x : i / 2 == 1 ? v.y : i / 2 == 2 ? v.z : v.w;
    word = (word & keep) | bits;
  }

  DEVICE void unpack(float (&out)[EACH]) const {
    unsigned words[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int i = 0; i < 4; i++) {
      float2 f = half2_to_float2(words[i]);
      out[2 * i] = f.x;
      out[2 * i + 1] = f.y;
    }
  }
};

struct FloatPiece {
  static constexpr int IN_FLIGHT = 2;
  float v[EACH];

  DEVICE void load(const float* p) {
    *(float4*)&v[0] = *(const float4*)p;
    *(float4*)&v[4] = *(const float4*)(p + 4);
  }

  DEVICE void set(int i, float e) { v[i] = e; }

  DEVICE void unpack(float (&out)[EACH]) const {
#pragma unroll
    for (int i = 0; i < EACH; i++) {
      out[i] = v[i];
    }
  }
};

template <>
struct Piece<KIND_F32> : FloatPiece {};

template <>
struct Piece<KIND_ROWS> : FloatPiece {};

/* The lane's elements of a key or value; zeros beyond the head and where nothing is to be seen. */
template <int KIND>
DEVICE void fetch(Piece<KIND>& piece, const Plane<KIND>& plane, int position, bool visible,
                  int first, int head_dim, bool vectorised) {
  const typename Storage<KIND>::Element* p = plane.at + (position % KV_PAGE) * plane.stride + first;
  if (vectorised && visible && first < head_dim) {
    piece.load(p);
    return;
  }
#pragma unroll
  for (int i = 0; i < EACH; i++) {
    bool there = !vectorised && visible && first + i < head_dim;
    piece.set(i, there ? p[i] : 0);
  }
}

/* The softmax of a group of lanes for one head, so far. */
struct Softmax {
  float largest; /* in base 2 */
  float sum;
  float values[EACH];
};

DEVICE float finite(float largest) { return largest == -INFINITY ? 0 : largest; }

/* Takes another softmax in. */
DEVICE void merge(Softmax& s, float largest, float sum, const float (&values)[EACH]) {
  float top = fmaxf(s.largest, largest);
  float mine = exp2_fast(s.largest - finite(top));
  float others = exp2_fast(largest - finite(top));
  s.largest = top;
  s.sum = s.sum * mine + sum * others;
#pragma unroll
  for (int i = 0; i < EACH; i++) {
    s.values[i] = s.values[i] * mine + values[i] * others;
  }
}

/* Adds the keys of one step to each head's softmax. */
template <int KIND>
DEVICE void attend(Softmax (&s)[QUERIES], const float (&q)[QUERIES][EACH],
                   const Piece<KIND> (&keys)[Piece<KIND>::IN_FLIGHT],
                   const Piece<KIND> (&values)[Piece<KIND>::IN_FLIGHT],
                   const bool (&visible)[Piece<KIND>::IN_FLIGHT], int lanes) {
  constexpr int COUNT = Piece<KIND>::IN_FLIGHT;
  float scores[QUERIES][COUNT];
#pragma unroll
  for (int u = 0; u < COUNT; u++) {
    float key[EACH];
    keys[u].unpack(key);
#pragma unroll
    for (int j = 0; j < QUERIES; j++) {
      float score = 0;
#pragma unroll
      for (int i = 0; i < EACH; i++) {
        score += q[j][i] * key[i];
      }
      score = warp_sum(score, lanes);
      scores[j][u] = visible[u] ? score : -INFINITY;
    }
  }
#pragma unroll
  for (int j = 0; j < QUERIES; j++) {
    float top = s[j].largest;
#pragma unroll
    for (int u = 0; u < COUNT; u++) {
      top = fmaxf(top, scores[j][u]);
    }
    float factor = exp2_fast(s[j].largest - finite(top));
    s[j].largest = top;
    s[j].sum *= factor;
#pragma unroll
    for (int i = 0; i < EACH; i++) {
      s[j].values[i] *= factor;
    }
#pragma unroll
    for (int u = 0; u < COUNT; u++) {
      scores[j][u] = exp2_fast(scores[j][u] - finite(top));
      s[j].sum += scores[j][u];
    }
  }
#pragma unroll
  for (int u = 0; u < COUNT; u++) {
    float value[EACH];
    values[u].unpack(value);
#pragma unroll
    for (int j = 0; j < QUERIES; j++) {
#pragma unroll
      for (int i = 0; i < EACH; i++) {
        s[j].values[i] += scores[j][u] * value[i];
      }
    }
  }
}

/* Lanes that share a key: enough for a head, a power of two. */
DEVICE int lanes_of(int head_dim) {
  int lanes = 1;
  while (lanes * EACH < head_dim) {
    lanes *= 2;
  }
  return lanes;
}

/* Unites the groups of a warp, then the warps of the block, and writes the block's part. */
DEVICE void write_part(float* part, size_t stride, Softmax (&s)[QUERIES], int queries, int lanes,
                       int head_dim) {
  __shared__ float shared[WARPS][MAX_HEAD_DIM + 2];
  int lane = lane_index();
  for (int j = 0; j < queries; j++) {
    Softmax own = s[0];
#pragma unroll
    for (int i = 1; i < QUERIES; i++) {
      own = i == j ? s[i] : own;
    }
    for (int offset = lanes; offset < WARP; offset *= 2) {
      float values[EACH];
#pragma unroll
      for (int i = 0; i < EACH; i++) {
        values[i] = __shfl_xor_sync(ALL_LANES, own.values[i], offset);
      }
      float largest = __shfl_xor_sync(ALL_LANES, own.largest, offset);
      merge(own, largest, __shfl_xor_sync(ALL_LANES, own.sum, offset), values);
    }
    __syncthreads(); /* The head before has been read. */
    float* mine = shared[warp_index()];
#pragma unroll
    for (int i = 0; i < EACH; i++) {
      if (lane < lanes && lane * EACH + i < head_dim) {
        mine[lane * EACH + i] = own.values[i];
      }
    }
    if (lane == 0) {
      mine[head_dim] = own.largest;
      mine[head_dim + 1] = own.sum;
    }
    __syncthreads();
    float top = -INFINITY;
    for (int w = 0; w < WARPS; w++) {
      top = fmaxf(top, shared[w][head_dim]);
    }
    for (int i = threadIdx.x; i < head_dim + 2; i += WARPS * WARP) {
      float sum = 0;
      for (int w = 0; w < WARPS; w++) {
        sum += shared[w][i] * exp2_fast(shared[w][head_dim] - finite(top));
      }
      part[j * stride + i] = i == head_dim ? top : sum;
    }
  }
}

template <int KIND>
DEVICE void attention_decode_body(float* parts, const float* q, const float* k, const float* v,
                                  const int* decode_rows, const int* positions, const int* row_run,
                                  const Run* runs, const Shape& shape, float scale, int window) {
  constexpr int COUNT = Piece<KIND>::IN_FLIGHT;
  int row = decode_rows[blockIdx.z];
  const Run& run = runs[row_run[row]];
  if (run.kind != KIND) {
    return;
  }
  int head_dim = shape.head_dim;
  int group = shape.heads / shape.kv_heads;
  int chunks = (group + QUERIES - 1) / QUERIES;
  int kv_head = blockIdx.y / chunks;
  int in_group = blockIdx.y % chunks * QUERIES;
  int head = kv_head * group + in_group;
  int queries = min(QUERIES, group - in_group);
  int lanes = lanes_of(head_dim);
  int first = lane_index() % lanes * EACH;
  float own[QUERIES][EACH];
  Softmax s[QUERIES];
#pragma unroll
  for (int j = 0; j < QUERIES; j++) {
    const float* from = q + ((size_t)row * shape.heads + head + min(j, queries - 1)) * head_dim;
#pragma unroll
    for (int i = 0; i < EACH; i++) {
      own[j][i] = first + i < head_dim ? from[first + i] * (scale * LOG2_E) : 0;
      s[j].values[i] = 0;
    }
    s[j].largest = -INFINITY;
    s[j].sum = 0;
  }
  int position = positions[row];
  int begin = first_visible<KIND>(run, position, window);
  int pages = position / KV_PAGE + 1 - begin / KV_PAGE;
  int share = (pages + gridDim.x - 1) / gridDim.x;
  int page = begin / KV_PAGE + blockIdx.x * share;
  int last_page = min(page + share, position / KV_PAGE + 1);
  bool vectorised = is_vectorisable<KIND>(k, v, head_dim);
  int at_once = WARP / lanes;
  for (; page < last_page; page++) {
    Plane<KIND> keys = plane_of<KIND>(run, k, 0, shape, kv_head, page);
    Plane<KIND> values = plane_of<KIND>(run, v, 1, shape, kv_head, page);
    for (int step = 0; step < KV_PAGE; step += WARPS * COUNT * at_once) {
      Piece<KIND> key[COUNT];
      Piece<KIND> value[COUNT];
      bool visible[COUNT];
#pragma unroll
      for (int u = 0; u < COUNT; u++) {
        int in_page = step + (warp_index() * COUNT + u) * at_once + lane_index() / lanes;
        int p = page * KV_PAGE + in_page;
        visible[u] = in_page < KV_PAGE && p >= begin && p <= position;
        fetch<KIND>(key[u], keys, p, visible[u], first, head_dim, vectorised);
        fetch<KIND>(value[u], values, p, visible[u], first, head_dim, vectorised);
      }
      attend<KIND>(s, own, key, value, visible, lanes);
    }
  }
  size_t part = ((size_t)blockIdx.z * shape.heads + head) * gridDim.x + blockIdx.x;
  write_part(parts + part * (head_dim + 2), (size_t)gridDim.x * (head_dim + 2), s, queries, lanes,
             head_dim);
}

#define ATTENTION_DECODE(name, kind)                                                             \
  extern "C" __global__ void __launch_bounds__(WARPS* WARP)                                      \
      name(float* parts, const float* q, const float* k, const float* v, const int* decode_rows, \
           const int* positions, const int* row_run, const Run* runs, int layer, int heads,      \
           int kv_heads, int head_dim, float scale, int window) {                                \
    attention_decode_body<kind>(parts, q, k, v, decode_rows, positions, row_run, runs,           \
                                {layer, heads, kv_heads, head_dim}, scale, window);              \
  }                                                                                              \
  KERNEL(name)

ATTENTION_DECODE(attention_decode_rows, KIND_ROWS)
ATTENTION_DECODE(attention_decode_f32, KIND_F32)
ATTENTION_DECODE(attention_decode_f16, KIND_F16)

extern "C" __global__ void attention_merge(float* out, float* lse, const float* parts,
                                           const int* decode_rows, int splits, int head_dim,
                                           void* quantized, int all_rows) {
  int heads = gridDim.x;
  int row = decode_rows[blockIdx.y];
  size_t stride = head_dim + 2;
  const float* part = parts + ((size_t)blockIdx.y * heads + blockIdx.x) * splits * stride;
  float top = -INFINITY;
  for (int s = 0; s < splits; s++) {
    top = fmaxf(top, part[s * stride + head_dim]);
  }
  float sum = 0;
  for (int s = 0; s < splits; s++) {
    sum += part[s * stride + head_dim + 1] * exp2_fast(part[s * stride + head_dim] - top);
  }
  size_t at = (size_t)row * heads + blockIdx.x;
  for (int i = threadIdx.x; i < head_dim; i += blockDim.x) {
    float value = 0;
    for (int s = 0; s < splits; s++) {
      value += part[s * stride + i] * exp2_fast(part[s * stride + head_dim] - top);
    }
    value /= sum;
    out[at * head_dim + i] = value;
    if (quantized != nullptr) {
      Quantized to(quantized, all_rows, heads * head_dim);
      quantize_block(to, row, (blockIdx.x * head_dim + i) / 32, value);
    }
  }
  if (lse != nullptr && threadIdx.x == 0) {
    lse[at] = top * LN_2 + logf(sum);
  }
}
KERNEL(attention_merge)
