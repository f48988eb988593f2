/*
 * Attention within a sequence that is rows of a batch, and its gradient, in blocks of queries and
 * keys (Dao et al. 2022, algorithms 1 and 4): scores of a block are turned into weights at once, and
 * memory grows with the rows only. All products are those of grad_matrix.h.
 */
#include "grad_functions.h"
#include "grad_matrix.h"

/* Queries of a block: whole strips. */
#define QUERIES (128 / STRIP * STRIP)
/* Keys of a block. */
#define KEYS 256

/* As NativeSequenceAttention.java writes it: rows of the sequence, at the first head of a group. */
struct sequence {
  const float *q, *k, *v;      /* [rows, size] of each head, rows q_row and k_row apart */
  float *out, *lse;            /* as q; [rows], lse_row apart, of each head */
  const float *d_out;          /* as q */
  float *dq, *dk, *dv;         /* rows q_row and k_row apart */
  int64_t q_row, k_row, lse_row;
  int64_t heads;               /* that share the keys */
  int64_t size;                /* of a head */
  int64_t rows, window;
  int64_t drops, first_seed, second_seed, layer, first_head, first_row, threshold;
  float scale, factor;         /* of the scores; of weights that dropout keeps */
};

static uint8_t *take(uint8_t **scratch, int64_t bytes) {
  uint8_t *taken = *scratch;
  *scratch += (bytes + 63) / 64 * 64;
  return taken;
}

static float *take_floats(uint8_t **scratch, int64_t count) {
  return (float *)take(scratch, count * 4);
}

static void clear(float *x, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    x[i] = 0;
  }
}

INLINE int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }

INLINE int64_t whole_panels(int64_t columns) { return (columns + PANEL - 1) / PANEL * PANEL; }

/* The first key that a query sees. */
INLINE int64_t first_seen(const struct sequence *s, int64_t query) {
  return s->window == 0 ? 0 : most(0, query - s->window + 1);
}

/* Whether some query of a range sees some key of a range. */
INLINE int meets(const struct sequence *s, int64_t query, int64_t queries, int64_t key,
                 int64_t keys) {
  return key < query + queries && key + keys > first_seen(s, query);
}

/* Multiplies with 0 what dropout takes, and with a factor what it leaves. */
static void drop(const struct sequence *s, float *x, int64_t head, int64_t query, int64_t key,
                 int64_t count) {
  float factors[KEYS];
  uint32_t row = (uint32_t)(s->first_row + query);
  uint32_t hash = query_hash((uint32_t)s->first_seed, (uint32_t)s->second_seed, (uint32_t)s->layer,
                             (uint32_t)(s->first_head + head), row);
  dropout_factors(factors, hash, (uint32_t)(s->first_row + key), count, (uint32_t)s->threshold,
                  s->factor);
  for (int64_t j = 0; j < count; j++) {
    x[j] *= factors[j];
  }
}

static void fill(float *x, int64_t from, int64_t to, float value) {
  for (int64_t j = from; j < to; j++) {
    x[j] = value;
  }
}

/* Scores become exp(scale * score - minus); those beside [from, to) become 0. */
INLINE void exponentials(float *x, int64_t from, int64_t to, int64_t width, float scale,
                         float minus) {
  const vf factor = vf_all(scale), offset = vf_all(-minus);
  for (int64_t j = 0; j < width; j += LANES) {
    vf_store(x + j, vf_exp(vf_fma(vf_load(x + j), factor, offset)));
  }
  fill(x, 0, from, 0);
  fill(x, to, width, 0);
}

struct softmax {
  float largest, sum;
};

/* Turns scores of one query into weights, and what was summed before to the new largest score. */
static void softmax(float *x, int64_t from, int64_t to, int64_t width, float scale,
                    struct softmax *state, float *out, int64_t size) {
  vf all = vf_all(state->largest);
  int64_t j = from;
  for (; j <= to - LANES; j += LANES) {
    all = vf_max(all, vf_mul(vf_load(x + j), vf_all(scale)));
  }
  float largest = vf_largest(all);
  for (; j < to; j++) {
    largest = x[j] * scale > largest ? x[j] * scale : largest;
  }
  if (largest > state->largest) {
    vf factor = vf_exp(vf_all(state->largest - largest));
    for (int64_t d = 0; d < size; d += LANES) {
      vf_store(out + d, vf_mul(vf_load(out + d), factor));
    }
    state->sum *= vf_largest(factor);
    state->largest = largest;
  }
  exponentials(x, from, to, width, scale, largest);
  vf sum = vf_zero();
  for (j = 0; j < width; j += LANES) {
    sum = vf_add(sum, vf_load(x + j));
  }
  state->sum += vf_sum(sum);
}

/* Weights of a strip of queries for a block of keys, of which `width` are looked at. */
static void weights_of_strip(const struct sequence *s, float *x, int64_t head, int64_t query,
                             int64_t queries, int64_t key, int64_t width, struct softmax *states,
                             float *out, int64_t size) {
  for (int64_t i = 0; i < STRIP; i++) {
    const int64_t from = most(0, first_seen(s, query + i) - key);
    const int64_t to = least(width, query + i + 1 - key);
    float *row = x + i * KEYS;
    if (i >= queries || from >= to) {
      fill(row, 0, width, 0);
      continue;
    }
    softmax(row, from, to, width, s->scale, states + i, out + i * size, size);
    if (s->drops) {
      drop(s, row, head, query + i, key, to);
    }
  }
}

/* Writes the results of a block of queries. */
static void deliver(const struct sequence *s, int64_t head, int64_t first, int64_t count,
                    const struct softmax *states, const float *out, int64_t size) {
  for (int64_t i = 0; i < count; i++) {
    float *to = s->out + (first + i) * s->q_row + head * s->size;
    float factor = 1 / states[i].sum;
    for (int64_t d = 0; d < s->size; d++) {
      to[d] = out[i * size + d] * factor;
    }
    s->lse[(first + i) * s->lse_row + head] =
        (float)(states[i].largest + natural_log(states[i].sum));
  }
}

/*
 * Attention of a block of queries of one head; nothing if the sequence has no such block. scratch:
 * 10500 bytes for each element of a head, rounded up to 32, and 400000.
 */
KERNEL(sequence_attention)(const struct sequence *s, int64_t head, int64_t block,
                           uint8_t *scratch) {
  const int64_t first = block * QUERIES;
  if (first >= s->rows) {
    return;
  }
  const int64_t count = least(QUERIES, s->rows - first), size = whole_panels(s->size);
  uint8_t *queries = take(&scratch, (QUERIES / STRIP) * strip_bytes(s->size));
  uint8_t *keys = take(&scratch, KEYS / PANEL * panel_bytes(s->size));
  uint8_t *values = take(&scratch, size / PANEL * panel_bytes(KEYS));
  uint8_t *weights = take(&scratch, strip_bytes(KEYS));
  float *scores = take_floats(&scratch, STRIP * KEYS);
  float *out = take_floats(&scratch, QUERIES * size);
  struct softmax states[QUERIES];
  const struct matrix q = {s->q + first * s->q_row + head * s->size, s->q_row, 1};
  begin();
  pack_strips(queries, q, count, s->size);
  clear(out, QUERIES * size);
  for (int64_t i = 0; i < QUERIES; i++) {
    states[i] = (struct softmax){-3.4e38f, 0};
  }
  for (int64_t key = first_seen(s, first); key < first + count; key += KEYS) {
    const int64_t n = least(KEYS, first + count - key);
    const struct matrix k = {s->k + key * s->k_row, 1, s->k_row};
    const struct matrix v = {s->v + key * s->k_row, s->k_row, 1};
    pack_panels(keys, k, s->size, n);
    pack_panels(values, v, n, s->size);
    for (int64_t i = 0; i < count; i += STRIP) {
      const int64_t now = least(STRIP, count - i);
      if (!meets(s, first + i, now, key, n)) {
        continue;
      }
      const int64_t seen = least(n, first + i + now - key);
      const uint8_t *strip = queries + i / STRIP * strip_bytes(s->size);
      for (int64_t j = 0; j < seen; j += PANEL) {
        multiply(scores + j, KEYS, strip, keys + j / PANEL * panel_bytes(s->size), s->size, s->size,
                 0);
      }
      float *results = out + i * size;
      weights_of_strip(s, scores, head, first + i, now, key, whole_panels(seen), states + i,
                       results, size);
      pack_strip(weights, (struct matrix){scores, KEYS, 1}, STRIP, seen);
      for (int64_t d = 0; d < size; d += PANEL) {
        multiply(results + d, size, weights, values + d / PANEL * panel_bytes(n), n, seen, 1);
      }
    }
  }
  end();
  deliver(s, head, first, count, states, out, size);
}

/* What the gradient keeps of a block of keys, and of a block of queries. */
struct gradient {
  uint8_t *keys, *values;            /* panels [size][keys] */
  uint8_t *keys_down;                /* panels [keys][size] */
  uint8_t *queries, *results;        /* strips of q and dOut [queries][size] */
  uint8_t *queries_down, *results_down; /* panels [queries][size] */
  uint8_t *strip;
  float *weights, *slopes;           /* [QUERIES, KEYS] */
  float *dk, *dv;                    /* [KEYS, size] */
};

/* Scores and products with the values become weights and gradients of the scores. */
static void slopes_of_query(const struct sequence *s, float *weights, float *slopes, int64_t head,
                            int64_t query, int64_t key, int64_t width) {
  const int64_t from = most(0, first_seen(s, query) - key);
  const int64_t to = least(width, query + 1 - key);
  if (query >= s->rows || from >= to) {
    fill(weights, 0, width, 0);
    fill(slopes, 0, width, 0);
    return;
  }
  const int64_t at = query * s->q_row + head * s->size;
  vf sum = vf_zero();
  float correction = 0;
  int64_t d = 0;
  for (; d <= s->size - LANES; d += LANES) {
    sum = vf_fma(vf_load(s->d_out + at + d), vf_load(s->out + at + d), sum);
  }
  for (; d < s->size; d++) {
    correction += s->d_out[at + d] * s->out[at + d];
  }
  correction += vf_sum(sum);
  if (s->drops) {
    drop(s, slopes, head, query, key, width);
  }
  exponentials(weights, from, to, width, s->scale, s->lse[query * s->lse_row + head]);
  const vf minus = vf_all(correction), scale = vf_all(s->scale);
  for (int64_t j = 0; j < width; j += LANES) {
    vf weight = vf_mul(vf_load(weights + j), scale);
    vf_store(slopes + j, vf_mul(weight, vf_sub(vf_load(slopes + j), minus)));
  }
  fill(slopes, 0, from, 0);
  fill(slopes, to, width, 0);
  if (s->drops) {
    drop(s, weights, head, query, key, width);
  }
}

/* dQ of a block of queries: slopes · keys. */
static void add_query_gradients(const struct sequence *s, const struct gradient *g, int64_t head,
                                int64_t query, int64_t queries, int64_t key, int64_t keys) {
  for (int64_t i = 0; i < queries; i += STRIP) {
    const int64_t now = least(STRIP, queries - i);
    if (!meets(s, query + i, now, key, keys)) {
      continue;
    }
    const int64_t seen = least(keys, query + i + now - key);
    pack_strip(g->strip, (struct matrix){g->slopes + i * KEYS, KEYS, 1}, STRIP, seen);
    for (int64_t d = 0; d < s->size; d += PANEL) {
      float *to = s->dq + (query + i) * s->q_row + head * s->size + d;
      const uint8_t *panel = g->keys_down + d / PANEL * panel_bytes(keys);
      const int64_t width = least(PANEL, s->size - d);
      if (now == STRIP && width == PANEL) {
        multiply(to, s->q_row, g->strip, panel, keys, seen, 1);
      } else {
        multiply_edge(to, s->q_row, now, width, g->strip, panel, keys, seen, 1);
      }
    }
  }
}

/* dK, or dV, of a block of keys: slopesT · queries, or weightsT · dOut. */
static void add_key_gradients(const struct sequence *s, const struct gradient *g, float *sums,
                              const float *factors, const uint8_t *panels, int64_t query,
                              int64_t queries, int64_t key, int64_t keys) {
  const int64_t size = whole_panels(s->size);
  for (int64_t j = 0; j < keys; j += STRIP) {
    /* Queries before the first of these keys do not see them. */
    const int64_t skip = most(0, key + j - query) / STEP * STEP;
    if (skip >= queries) {
      continue;
    }
    const struct matrix part = {factors + skip * KEYS + j, 1, KEYS};
    pack_strip(g->strip, part, least(STRIP, keys - j), queries - skip);
    for (int64_t d = 0; d < size; d += PANEL) {
      const uint8_t *panel = panel_at(panels + d / PANEL * panel_bytes(queries), skip);
      multiply(sums + j * size + d, size, g->strip, panel, queries, queries - skip, 1);
    }
  }
}

/* What a block of queries of one head has to do with a block of keys. */
static void block(const struct sequence *s, const struct gradient *g, int64_t head, int64_t query,
                  int64_t key, int64_t keys) {
  const int64_t queries = least(QUERIES, s->rows - query);
  const int64_t at = query * s->q_row + head * s->size;
  const struct matrix q = {s->q + at, s->q_row, 1}, d_out = {s->d_out + at, s->q_row, 1};
  pack_strips(g->queries, q, queries, s->size);
  pack_strips(g->results, d_out, queries, s->size);
  pack_panels(g->queries_down, q, queries, s->size);
  pack_panels(g->results_down, d_out, queries, s->size);
  for (int64_t i = 0; i < queries; i += STRIP) {
    const int64_t now = least(STRIP, queries - i);
    const int64_t strip = i / STRIP * strip_bytes(s->size);
    float *weights = g->weights + i * KEYS, *slopes = g->slopes + i * KEYS;
    const int64_t seen = most(0, least(keys, query + i + now - key));
    for (int64_t j = 0; j < seen; j += PANEL) {
      const int64_t panel = j / PANEL * panel_bytes(s->size);
      multiply(weights + j, KEYS, g->queries + strip, g->keys + panel, s->size, s->size, 0);
      multiply(slopes + j, KEYS, g->results + strip, g->values + panel, s->size, s->size, 0);
    }
    for (int64_t r = 0; r < STRIP; r++) {
      const int64_t width = whole_panels(seen);
      slopes_of_query(s, weights + r * KEYS, slopes + r * KEYS, head, query + i + r, key, width);
      fill(weights + r * KEYS, width, whole_panels(keys), 0);
      fill(slopes + r * KEYS, width, whole_panels(keys), 0);
    }
  }
  add_query_gradients(s, g, head, query, queries, key, keys);
  add_key_gradients(s, g, g->dk, g->slopes, g->queries_down, query, queries, key, keys);
  add_key_gradients(s, g, g->dv, g->weights, g->results_down, query, queries, key, keys);
}

static void store(const struct sequence *s, float *to, const float *from, int64_t keys) {
  for (int64_t j = 0; j < keys; j++) {
    for (int64_t d = 0; d < s->size; d++) {
      to[j * s->k_row + d] = from[j * whole_panels(s->size) + d];
    }
  }
}

/*
 * Gradient of attention: dk and dv of every `shares`th block of 256 keys from `share` on, and what
 * they contribute to dq, which is set. scratch: as for sequence_attention.
 */
KERNEL(sequence_gradient)(const struct sequence *s, int64_t share, int64_t shares,
                          uint8_t *scratch) {
  const int64_t size = whole_panels(s->size), rows = QUERIES, row_panels = whole_panels(rows);
  struct gradient g;
  g.keys = take(&scratch, KEYS / PANEL * panel_bytes(s->size));
  g.values = take(&scratch, KEYS / PANEL * panel_bytes(s->size));
  g.keys_down = take(&scratch, size / PANEL * panel_bytes(KEYS));
  g.queries = take(&scratch, rows / STRIP * strip_bytes(s->size));
  g.results = take(&scratch, rows / STRIP * strip_bytes(s->size));
  g.queries_down = take(&scratch, size / PANEL * panel_bytes(row_panels));
  g.results_down = take(&scratch, size / PANEL * panel_bytes(row_panels));
  g.strip = take(&scratch, strip_bytes(KEYS));
  g.weights = take_floats(&scratch, rows * KEYS);
  g.slopes = take_floats(&scratch, rows * KEYS);
  g.dk = take_floats(&scratch, (KEYS + STRIP) * size);
  g.dv = take_floats(&scratch, (KEYS + STRIP) * size);
  for (int64_t r = 0; r < s->rows; r++) {
    clear(s->dq + r * s->q_row, s->heads * s->size);
  }
  begin();
  for (int64_t key = share * KEYS; key < s->rows; key += shares * KEYS) {
    const int64_t keys = least(KEYS, s->rows - key), at = key * s->k_row;
    pack_panels(g.keys, (struct matrix){s->k + at, 1, s->k_row}, s->size, keys);
    pack_panels(g.values, (struct matrix){s->v + at, 1, s->k_row}, s->size, keys);
    pack_panels(g.keys_down, (struct matrix){s->k + at, s->k_row, 1}, keys, s->size);
    clear(g.dk, (KEYS + STRIP) * size);
    clear(g.dv, (KEYS + STRIP) * size);
    const int64_t end = s->window == 0 ? s->rows : least(s->rows, key + keys + s->window - 1);
    for (int64_t query = key / QUERIES * QUERIES; query < end; query += QUERIES) {
      for (int64_t head = 0; head < s->heads; head++) {
        block(s, &g, head, query, key, keys);
      }
    }
    store(s, s->dk + at, g.dk, keys);
    store(s, s->dv + at, g.dv, keys);
  }
  end();
}
