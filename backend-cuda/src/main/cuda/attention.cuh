/*
 * Where keys and values lie, and which of them a row sees: shared by all attention kernels.
 *
 * A kernel serves one kind of runs. KIND_ROWS: keys and values are F32 rows of this call; KIND_F32,
 * KIND_F16: they lie in pages of KV_PAGE positions:
 * [layer][key, value][kv head][KV_PAGE][head_dim].
 */
#pragma once

#include "common.cuh"

/* Widest head that the kernels take. */
constexpr int MAX_HEAD_DIM = 256;

template <int KIND>
struct Storage {
  typedef float Element;
};

template <>
struct Storage<KIND_F16> {
  typedef half_bits Element;
};

/* The shape of the attention of one layer. */
struct Shape {
  int layer;
  int heads;
  int kv_heads;
  int head_dim;
};

/* Keys or values of one head, for positions of one page: position p is at + (p % KV_PAGE) * stride.
 * Of KIND_ROWS, `at` may lie before the tensor: only positions of the run may be read. */
template <int KIND>
struct Plane {
  const typename Storage<KIND>::Element* at;
  int stride;
};

/* rows: k or v of this call, used by KIND_ROWS. */
template <int KIND>
DEVICE Plane<KIND> plane_of(const Run& run, const float* rows, int value, const Shape& s,
                            int kv_head, int page) {
  typedef typename Storage<KIND>::Element Element;
  if (KIND == KIND_ROWS) {
    long long row = (long long)run.first_row - run.first_position + (long long)page * KV_PAGE;
    long long at = (row * s.kv_heads + kv_head) * s.head_dim;
    return {(const Element*)(rows + at), s.kv_heads * s.head_dim};
  }
  size_t plane = (size_t)(s.layer * 2 + value) * s.kv_heads + kv_head;
  const Element* elements = (const Element*)run.pages[page];
  return {elements + plane * KV_PAGE * s.head_dim, s.head_dim};
}

/* First position of the sequence that a row at a position sees. */
template <int KIND>
DEVICE int first_visible(const Run& run, int position, int window) {
  int first = KIND == KIND_ROWS ? run.first_position : 0;
  return window == 0 ? first : max(first, position - window + 1);
}

/* Whether 16-byte loads of keys and values are aligned. Pages are; rows may be slices. */
template <int KIND>
DEVICE bool is_vectorisable(const float* k, const float* v, int head_dim) {
  return head_dim % 8 == 0 && (KIND != KIND_ROWS || (is_aligned16(k) && is_aligned16(v)));
}

/* Dropout of weights behind the softmax, as dev.llama.spi.AttentionDropout defines it: a function
 * of the seed, the layer, the head, and the rows of query and key in the batch. */
struct Dropout {
  const int* seed; /* two numbers; null: nothing is dropped */
  int threshold;   /* of 2^24 values, so many mean "dropped" */
  float factor;    /* of weights that are kept */
};

constexpr unsigned GOLDEN = 0x9e3779b9u;

/* The finalizer of MurmurHash3 (Appleby 2011). */
DEVICE unsigned mix_bits(unsigned x) {
  x = (x ^ x >> 16) * 0x85ebca6bu;
  x = (x ^ x >> 13) * 0xc2b2ae35u;
  return x ^ x >> 16;
}

DEVICE unsigned query_hash(const Dropout& d, int layer, int head, int query_row) {
  unsigned hash = mix_bits((unsigned)d.seed[0] + GOLDEN);
  hash = mix_bits(hash ^ (unsigned)d.seed[1]);
  hash = mix_bits(hash + layer * GOLDEN);
  hash = mix_bits(hash ^ head * GOLDEN);
  return mix_bits(hash + query_row * GOLDEN);
}

/* What the weight of a key is multiplied with. */
DEVICE float dropout_factor(const Dropout& d, unsigned query_hash, int key_row) {
  bool kept = (int)(mix_bits(query_hash ^ key_row * GOLDEN) >> 8) >= d.threshold;
  return kept ? d.factor : 0;
}
