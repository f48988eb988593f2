/*
 * Attention of one row: the query heads that share a key head, over blocks of keys and values where
 * the cache has them. Scores of a part of a block are turned into weights at once; when a larger
 * score comes, what was summed before is scaled down (Milakov and Gimelshein 2018).
 */
#include "simd.h"

/* Positions whose scores are kept at a time. */
#define PART 64

struct attention {
  float *out;     /* [heads, size] */
  const float *q; /* [heads, size] */
  int64_t head_offset;
  int64_t stride; /* between positions, in elements */
  int64_t size;   /* of a head */
  float scale;
};

struct state {
  float largest;
  float sum;
};

/* Scores of `count` positions for `heads` queries, largest last for padding to whole vectors. */
INLINE void scores(enum format type, int heads, const struct attention *a, const uint8_t *keys,
                   int64_t count, float out[][PART]) {
  const int64_t bytes = plain_bytes(type);
  for (int64_t p = 0; p < count; p++) {
    const uint8_t *key = keys + p * a->stride * bytes;
    vf sums[4];
    UNROLL
    for (int h = 0; h < heads; h++) {
      sums[h] = vf_zero();
    }
    int64_t d = 0;
    for (; d <= a->size - LANES; d += LANES) {
      vf k = plain_load(type, key + d * bytes);
      UNROLL
      for (int h = 0; h < heads; h++) {
        sums[h] = vf_fma(vf_load(a->q + h * a->size + d), k, sums[h]);
      }
    }
    UNROLL
    for (int h = 0; h < heads; h++) {
      float total = vf_sum(sums[h]);
      for (int64_t t = d; t < a->size; t++) {
        total += a->q[h * a->size + t] * plain_one(type, key + t * bytes);
      }
      out[h][p] = total * a->scale;
    }
  }
}

/* Turns scores into weights, and what was summed before to the new largest score. */
INLINE void softmax(float *scores, int64_t count, struct state *s, float *out, int64_t size) {
  int64_t padded = (count + LANES - 1) / LANES * LANES;
  for (int64_t p = count; p < padded; p++) {
    scores[p] = scores[count - 1];
  }
  vf most = vf_all(s->largest);
  for (int64_t p = 0; p < padded; p += LANES) {
    most = vf_max(most, vf_load(scores + p));
  }
  float largest = vf_largest(most);
  if (largest > s->largest) {
    float weights[LANES];
    vf_store(weights, vf_exp(vf_all(s->largest - largest)));
    for (int64_t d = 0; d < size; d++) {
      out[d] *= weights[0];
    }
    s->sum *= weights[0];
    s->largest = largest;
  }
  for (int64_t p = 0; p < padded; p += LANES) {
    vf_store(scores + p, vf_exp(vf_sub(vf_load(scores + p), vf_all(largest))));
  }
  for (int64_t p = count; p < padded; p++) {
    scores[p] = 0;
  }
  vf sum = vf_zero();
  for (int64_t p = 0; p < padded; p += LANES) {
    sum = vf_add(sum, vf_load(scores + p));
  }
  s->sum += vf_sum(sum);
}

/* Adds the values, weighted: a few columns at a time, so that the sums lie in registers. */
INLINE void add_values(enum format type, int heads, const struct attention *a,
                       const uint8_t *values, int64_t count, float weights[][PART]) {
  const int64_t bytes = plain_bytes(type);
  const int64_t step = a->stride * bytes;
  int64_t d = 0;
  for (; d <= a->size - 2 * LANES; d += 2 * LANES) {
    vf sums[4][2];
    UNROLL
    for (int h = 0; h < heads; h++) {
      sums[h][0] = vf_load(a->out + h * a->size + d);
      sums[h][1] = vf_load(a->out + h * a->size + d + LANES);
    }
    const uint8_t *value = values + d * bytes;
    for (int64_t p = 0; p < count; p++, value += step) {
      vf first = plain_load(type, value);
      vf second = plain_load(type, value + LANES * bytes);
      UNROLL
      for (int h = 0; h < heads; h++) {
        vf weight = vf_all(weights[h][p]);
        sums[h][0] = vf_fma(weight, first, sums[h][0]);
        sums[h][1] = vf_fma(weight, second, sums[h][1]);
      }
    }
    UNROLL
    for (int h = 0; h < heads; h++) {
      vf_store(a->out + h * a->size + d, sums[h][0]);
      vf_store(a->out + h * a->size + d + LANES, sums[h][1]);
    }
  }
  for (; d < a->size; d++) {
    for (int h = 0; h < heads; h++) {
      float sum = a->out[h * a->size + d];
      for (int64_t p = 0; p < count; p++) {
        sum += weights[h][p] * plain_one(type, values + p * step + d * bytes);
      }
      a->out[h * a->size + d] = sum;
    }
  }
}

INLINE void attend(enum format type, int heads, const struct attention *a,
                   const struct block *blocks, int64_t skip, int64_t count) {
  const int64_t bytes = plain_bytes(type);
  struct state states[4];
  float weights[4][PART];
  for (int h = 0; h < heads; h++) {
    states[h].largest = -3.4e38f;
    states[h].sum = 0;
  }
  for (int64_t i = 0; i < heads * a->size; i++) {
    a->out[i] = 0;
  }
  while (count > 0) {
    if (skip >= blocks->count) {
      skip -= blocks->count;
      blocks++;
      continue;
    }
    int64_t left = blocks->count - skip;
    int64_t n = left < count ? left : count;
    n = n < PART ? n : PART;
    const int64_t offset = (a->head_offset + skip * a->stride) * bytes;
    scores(type, heads, a, (const uint8_t *)blocks->keys + offset, n, weights);
    UNROLL
    for (int h = 0; h < heads; h++) {
      softmax(weights[h], n, &states[h], a->out + h * a->size, a->size);
    }
    add_values(type, heads, a, (const uint8_t *)blocks->values + offset, n, weights);
    skip += n;
    count -= n;
  }
  for (int h = 0; h < heads; h++) {
    float factor = 1 / states[h].sum;
    for (int64_t d = 0; d < a->size; d++) {
      a->out[h * a->size + d] *= factor;
    }
  }
}

INLINE void attention(enum format type, struct attention a, int64_t heads,
                      const struct block *blocks, int64_t skip, int64_t count) {
  while (heads > 0) {
    int now = heads >= 4 ? 4 : heads >= 2 ? 2 : 1;
    if (now == 4) {
      attend(type, 4, &a, blocks, skip, count);
    } else if (now == 2) {
      attend(type, 2, &a, blocks, skip, count);
    } else {
      attend(type, 1, &a, blocks, skip, count);
    }
    a.out += now * a.size;
    a.q += now * a.size;
    heads -= now;
  }
}

/*
 * out, q: F32 [heads, size]; blocks: in the order of positions; skip: positions at the
 * start that are not seen; count: positions that are, at least 1; head_offset: where the key head
 * begins in a block, in elements; stride: from position to position, in elements.
 */
KERNEL(attention)(enum format type, float *out, const float *q, int64_t heads, int64_t size,
                  const struct block *blocks, int64_t skip, int64_t count, int64_t head_offset,
                  int64_t stride, float scale) {
  const struct attention a = {out, q, head_offset, stride, size, scale};
  if (type == F32) {
    attention(F32, a, heads, blocks, skip, count);
  } else {
    attention(F16, a, heads, blocks, skip, count);
  }
}
