/*
 * Attention of some rows of a sequence, and of the query heads that share a key head, over blocks of
 * keys and values where the cache has them. Scores of a block are turned into weights at once; when
 * a larger score comes, what was summed before is scaled down (Milakov and Gimelshein 2018).
 *
 * A block has its keys as [head][element][position] and its values as [head][position][element], so
 * that scores and sums of values are the same product of small matrices, one vector of columns at a
 * time, and nothing is summed across a vector.
 */
#include "simd.h"

/* Positions of a block at most; blocks have a multiple of 16. */
#define BLOCK 64
/* Columns of a tile, in vectors: with four rows its sums fit the registers. */
#define TILE (LANES == 8 ? 2 : 4)
/* From so many queries on it pays to decode a block of F16 first. */
#define MANY 12

INLINE int64_t padded(int64_t n) { return (n + LANES - 1) / LANES * LANES; }

/* A product a . b of small matrices; `a_step` and `c_step` are in floats, `b_step` in bytes. */
struct small {
  const float *a; /* [rows, depth] */
  int64_t a_step;
  const uint8_t *b; /* [depth, columns] */
  int64_t b_step;
  int64_t depth;
  float *c; /* [rows, columns] */
  int64_t c_step;
  int add;              /* to what is in c */
  const uint8_t *ahead; /* what is read next, laid out like b, is fetched meanwhile */
};

INLINE void tile(enum format type, int rows, int vectors, const struct small *s, int64_t row,
                 int64_t column) {
  const int64_t bytes = plain_bytes(type);
  const float *a = s->a + row * s->a_step;
  const uint8_t *b = s->b + column * bytes;
  const uint8_t *ahead = s->ahead + column * bytes;
  float *c = s->c + row * s->c_step + column;
  vf sums[4][4];
  UNROLL
  for (int i = 0; i < rows; i++) {
    UNROLL
    for (int j = 0; j < vectors; j++) {
      sums[i][j] = s->add ? vf_load(c + i * s->c_step + j * LANES) : vf_zero();
    }
  }
  for (int64_t k = 0; k < s->depth; k++) {
    vf loaded[4];
    UNROLL
    for (int j = 0; j < vectors; j++) {
      loaded[j] = plain_load(type, b + j * LANES * bytes);
      if (j * LANES * bytes % 64 == 0) {
        __builtin_prefetch(ahead + j * LANES * bytes, 0, 2);
      }
    }
    UNROLL
    for (int i = 0; i < rows; i++) {
      vf x = vf_all(a[i * s->a_step + k]);
      UNROLL
      for (int j = 0; j < vectors; j++) {
        sums[i][j] = vf_fma(x, loaded[j], sums[i][j]);
      }
    }
    b += s->b_step;
    ahead += s->b_step;
  }
  UNROLL
  for (int i = 0; i < rows; i++) {
    UNROLL
    for (int j = 0; j < vectors; j++) {
      vf_store(c + i * s->c_step + j * LANES, sums[i][j]);
    }
  }
}

/* `columns` is rounded up to whole vectors: c has room for them, and b can be read there. */
INLINE void multiply_rows(enum format type, int rows, const struct small *s, int64_t row,
                          int64_t columns) {
  int64_t column = 0;
  for (; column + (TILE - 1) * LANES < columns; column += TILE * LANES) {
    tile(type, rows, TILE, s, row, column);
  }
  for (; column < columns; column += LANES) {
    tile(type, rows, 1, s, row, column);
  }
}

INLINE void multiply(enum format type, const struct small *s, int64_t rows, int64_t columns) {
  int64_t row = 0;
  for (; row <= rows - 4; row += 4) {
    multiply_rows(type, 4, s, row, columns);
  }
  for (; row <= rows - 2; row += 2) {
    multiply_rows(type, 2, s, row, columns);
  }
  for (; row < rows; row++) {
    multiply_rows(type, 1, s, row, columns);
  }
}

static void multiply_f32(const struct small *s, int64_t rows, int64_t columns) {
  multiply(F32, s, rows, columns);
}

static void multiply_f16(const struct small *s, int64_t rows, int64_t columns) {
  multiply(F16, s, rows, columns);
}

/* What a task has: the queries of `rows` rows, side by side as [row][head of the group]. */
struct task {
  const struct attention *a;
  int64_t key_head;
  int64_t first_row;
  int64_t queries;
  int64_t width; /* size of a head, padded */
  float *q;      /* [queries, size], scaled */
  float *out;    /* [queries, width] */
  float *scores; /* [queries, BLOCK] */
  float *keys;   /* [size, BLOCK], a block that had to be decoded or turned */
  float *values; /* [BLOCK, width] */
  float *largest; /* [queries] */
  float *sums;    /* [queries] */
};

/* A block as the product takes it. */
struct operand {
  enum format type;
  const uint8_t *at;
  int64_t step; /* bytes from row to row */
};

static int64_t first_seen(const struct attention *a, int64_t row) {
  int64_t position = a->position + row;
  return a->window > 0 && position >= a->window ? position - a->window + 1 : 0;
}

static const uint8_t *block_at(const struct task *t, int64_t block, int values) {
  const struct attention *a = t->a;
  int64_t offset = values ? a->values + t->key_head * a->value_head
                          : a->keys + t->key_head * a->key_head;
  return (const uint8_t *)a->blocks[block] + offset * plain_bytes((enum format)a->type);
}

/* Keys of `count` positions: decoded for many queries, turned where they lie by position. */
static struct operand key_block(const struct task *t, const uint8_t *at, int64_t count) {
  const struct attention *a = t->a;
  const int64_t size = a->size;
  if (a->by_position) {
    for (int64_t d = 0; d < size; d++) {
      for (int64_t p = 0; p < count; p++) {
        t->keys[d * BLOCK + p] = ((const float *)at)[p * a->step + d];
      }
    }
  } else if (a->type == F16 && t->queries >= MANY) {
    for (int64_t d = 0; d < size; d++) {
      for (int64_t p = 0; p < count; p += LANES) {
        vf_store(t->keys + d * BLOCK + p, vf_load_f16(at + (d * a->block + p) * 2));
      }
    }
  } else {
    const enum format type = (enum format)a->type;
    return (struct operand){type, at, a->block * plain_bytes(type)};
  }
  return (struct operand){F32, (const uint8_t *)t->keys, BLOCK * 4};
}

/* Values of positions from `first` to `end` of a block, decoded for many queries. */
static struct operand value_block(const struct task *t, const uint8_t *at, int64_t first,
                                  int64_t end) {
  const struct attention *a = t->a;
  const int64_t size = a->size;
  if (a->by_position) {
    for (int64_t p = first; p < end; p++) {
      for (int64_t d = 0; d < size; d++) {
        t->values[p * t->width + d] = ((const float *)at)[p * a->step + d];
      }
    }
  } else if (a->type == F16 && t->queries >= MANY) {
    for (int64_t p = first; p < end; p++) {
      for (int64_t d = 0; d < size; d += LANES) {
        vf_store(t->values + p * t->width + d, vf_load_f16(at + (p * size + d) * 2));
      }
    }
  } else {
    const enum format type = (enum format)a->type;
    return (struct operand){type, at, size * plain_bytes(type)};
  }
  return (struct operand){F32, (const uint8_t *)t->values, t->width * 4};
}

static void multiply_any(struct operand b, struct small *s, int64_t rows, int64_t columns) {
  s->b = b.at;
  s->b_step = b.step;
  if (b.type == F32) {
    multiply_f32(s, rows, columns);
  } else {
    multiply_f16(s, rows, columns);
  }
}

/*
 * Turns the scores of a query into weights, those outside of `first` to `end` into zeros, and what
 * was summed before to the new largest score. All of it lies within `count` positions.
 */
static void softmax(const struct task *t, int64_t query, int64_t first, int64_t end,
                    int64_t count) {
  float *scores = t->scores + query * BLOCK;
  const int64_t whole = padded(count);
  for (int64_t p = 0; p < first; p++) {
    scores[p] = -3.4e38f;
  }
  for (int64_t p = end; p < whole; p++) {
    scores[p] = -3.4e38f;
  }
  vf most = vf_all(t->largest[query]);
  for (int64_t p = 0; p < whole; p += LANES) {
    most = vf_max(most, vf_load(scores + p));
  }
  const float largest = vf_largest(most);
  if (largest > t->largest[query]) {
    float factor[LANES];
    vf_store(factor, vf_exp(vf_all(t->largest[query] - largest)));
    float *out = t->out + query * t->width;
    for (int64_t d = 0; d < t->width; d += LANES) {
      vf_store(out + d, vf_mul(vf_load(out + d), vf_all(factor[0])));
    }
    t->sums[query] *= factor[0];
    t->largest[query] = largest;
  }
  vf sum = vf_zero();
  for (int64_t p = 0; p < whole; p += LANES) {
    vf_store(scores + p, vf_exp(vf_sub(vf_load(scores + p), vf_all(largest))));
  }
  for (int64_t p = 0; p < first; p++) {
    scores[p] = 0;
  }
  for (int64_t p = end; p < whole; p++) {
    scores[p] = 0;
  }
  for (int64_t p = 0; p < whole; p += LANES) {
    sum = vf_add(sum, vf_load(scores + p));
  }
  t->sums[query] += vf_sum(sum);
}

/*
 * Lets the rows that see positions from `first` to `end` of a block see them. Meanwhile the keys
 * that come next are fetched: of the next head, or of the next block's first head.
 */
static void see(const struct task *t, int64_t block, int64_t first, int64_t end,
                const struct task *next, int64_t next_block) {
  const struct attention *a = t->a;
  const int64_t start = block * a->block;
  int64_t row = start + first - (a->position + t->first_row);
  row = row < 0 ? 0 : row; /* those before it are too early */
  const int64_t skipped = row * a->group;
  const int64_t queries = t->queries - skipped;
  if (queries <= 0) {
    return;
  }
  const uint8_t *keys = block_at(t, block, 0);
  const uint8_t *values = block_at(t, block, 1);
  const uint8_t *ahead = next_block * a->block < a->end ? block_at(next, next_block, 0) : keys;
  struct small s = {.a = t->q + skipped * a->size, .a_step = a->size, .depth = a->size,
                    .c = t->scores + skipped * BLOCK, .c_step = BLOCK, .ahead = values};
  multiply_any(key_block(t, keys, end), &s, queries, end);
  for (int64_t i = skipped; i < t->queries; i++) {
    int64_t r = t->first_row + i / a->group;
    int64_t from = first_seen(a, r) - start;
    int64_t to = a->position + r + 1 - start;
    from = from < first ? first : from > end ? end : from;
    to = to > end ? end : to < from ? from : to;
    softmax(t, i, from, to, end);
  }
  struct operand b = value_block(t, values, first, end);
  b.at += first * b.step;
  s = (struct small){.a = t->scores + skipped * BLOCK + first, .a_step = BLOCK,
                     .depth = end - first, .c = t->out + skipped * t->width, .c_step = t->width,
                     .add = 1, .ahead = ahead};
  multiply_any(b, &s, queries, a->size);
}

/* Floats of work space; NativeAttention.java counts them too, for the widest vectors. */
static int64_t attention_work(int64_t size, int64_t queries) {
  return queries * (padded(size) + BLOCK + 2 + size) + 2 * BLOCK * padded(size) + LANES;
}

static struct task prepare(const struct attention *a, int64_t key_head, int64_t first_row,
                           int64_t rows, float *work) {
  const int64_t queries = rows * a->group;
  const int64_t width = padded(a->size);
  struct task t = {.a = a, .key_head = key_head, .first_row = first_row, .queries = queries,
                   .width = width};
  t.out = work;
  t.scores = t.out + queries * width;
  t.keys = t.scores + queries * BLOCK;
  t.values = t.keys + a->size * BLOCK;
  t.largest = t.values + BLOCK * width + LANES;
  t.sums = t.largest + queries;
  t.q = t.sums + queries;
  for (int64_t i = 0; i < queries * width; i++) {
    t.out[i] = 0;
  }
  for (int64_t i = 0; i < queries; i++) {
    t.largest[i] = -3.4e38f;
    t.sums[i] = 0;
    const float *q = (const float *)a->q + (first_row + i / a->group) * a->q_stride +
                     (key_head * a->group + i % a->group) * a->size;
    for (int64_t d = 0; d < a->size; d++) {
      t.q[i * a->size + d] = q[d] * a->scale;
    }
  }
  return t;
}

/* Hands over what a task has summed up; see below. */
static void finish(const struct task *t, float *part, float *states) {
  const struct attention *a = t->a;
  states = part ? part + t->queries * a->size : states;
  for (int64_t i = 0; i < t->queries; i++) {
    float factor = part ? 1 : 1 / t->sums[i];
    float *out = part ? part + i * a->size
                      : (float *)a->out + (t->first_row + i / a->group) * a->out_stride +
                            (t->key_head * a->group + i % a->group) * a->size;
    for (int64_t d = 0; d < a->size; d++) {
      out[d] = t->out[i * t->width + d] * factor;
    }
    if (states) {
      states[i] = t->largest[i];
      states[t->queries + i] = t->sums[i];
    }
  }
}

/* Key heads that are done together: memory is then read in the order in which it lies. */
#define HEADS 16

static void attend(const struct attention *a, int64_t key_head, int64_t heads, int64_t first_row,
                   int64_t rows, int64_t from, int64_t to, float *work, float *part,
                   float *states) {
  struct task tasks[HEADS];
  const int64_t work_floats = attention_work(a->size, rows * a->group);
  for (int64_t h = 0; h < heads; h++) {
    tasks[h] = prepare(a, key_head + h, first_row, rows, work + h * work_floats);
  }
  int64_t least = first_seen(a, first_row);
  from = from < least ? least : from;
  int64_t most = a->position + first_row + rows;
  to = to > most ? most : to;
  for (int64_t p = from; p < to;) {
    int64_t block = p / a->block;
    int64_t end = (block + 1) * a->block;
    end = end < to ? end : to;
    for (int64_t h = 0; h < heads; h++) {
      const int last = h == heads - 1;
      see(&tasks[h], block, p - block * a->block, end - block * a->block,
          last ? tasks : &tasks[h + 1], last ? block + 1 : block);
    }
    p = end;
  }
  for (int64_t h = 0; h < heads; h++) {
    finish(&tasks[h], part ? part + h * a->group * (a->size + 2) : 0, states);
  }
}

/*
 * Rows from first_row on attend with the query heads of `heads` key heads to positions from `from`
 * to `to`, as far as each row sees them. work: attention_work floats for each key head, of 16 at
 * most.
 * With `part`: for each key head [query heads, size] sums that are not divided yet, then [query
 * heads] largest scores and [query heads] sums of weights; of one row. Else results go to `out`,
 * and with `states` the largest scores and the sums of weights of one key head there:
 * [rows * query heads] each.
 */
KERNEL(attention)(const struct attention *a, int64_t key_head, int64_t heads, int64_t first_row,
                  int64_t rows, int64_t from, int64_t to, float *work, float *part, float *states) {
  for (int64_t h = 0; h < heads; h += HEADS) {
    const int64_t now = heads - h < HEADS ? heads - h : HEADS;
    attend(a, key_head + h, now, first_row, rows, from, to, work,
           part ? part + h * a->group * (a->size + 2) : 0, states);
  }
}

/* Puts the parts of one row and key head together, which are `step` floats apart. */
KERNEL(attention_merge)(const struct attention *a, int64_t key_head, int64_t row,
                        const float *parts, int64_t step, int64_t count) {
  const int64_t group = a->group;
  for (int64_t h = 0; h < group; h++) {
    const float *states = parts + group * a->size + h;
    float *out = (float *)a->out + row * a->out_stride + (key_head * group + h) * a->size;
    float largest = -3.4e38f;
    for (int64_t i = 0; i < count; i++) {
      largest = states[i * step] > largest ? states[i * step] : largest;
    }
    float sum = 0;
    for (int64_t d = 0; d < a->size; d++) {
      out[d] = 0;
    }
    for (int64_t i = 0; i < count; i++) {
      float factor[LANES];
      vf_store(factor, vf_exp(vf_all(states[i * step] - largest)));
      sum += factor[0] * states[i * step + group];
      for (int64_t d = 0; d < a->size; d++) {
        out[d] += factor[0] * parts[i * step + h * a->size + d];
      }
    }
    for (int64_t d = 0; d < a->size; d++) {
      out[d] /= sum;
    }
  }
}

/* Where element `d` of a key lies is far from element d + 1: all are asked for at once. */
static void fetch_keys(const struct attention *a, int64_t block, int64_t at, int64_t heads) {
  const int64_t bytes = a->type == F32 ? 4 : 2;
  for (int64_t h = 0; h < heads; h++) {
    for (int64_t d = 0; d < a->size; d++) {
      int64_t key = a->keys + h * a->key_head + at + d * a->block;
      __builtin_prefetch((const uint8_t *)block + key * bytes, 1, 3);
    }
  }
}

/*
 * Puts the keys and values of rows into the blocks. k, v: F32 [rows, heads * size], k_stride and
 * v_stride floats apart; the first is that of first_row.
 */
KERNEL(append)(const struct attention *a, const float *k, int64_t k_stride, const float *v,
               int64_t v_stride, int64_t heads, int64_t first_row, int64_t rows) {
  const int64_t size = a->size;
  for (int64_t r = 0; r < rows; r++) {
    const int64_t position = a->position + first_row + r;
    const int64_t at = position % a->block;
    const int64_t block = a->blocks[position / a->block];
    if (rows == 1) {
      fetch_keys(a, block, at, heads);
    }
    for (int64_t h = 0; h < heads; h++) {
      const float *key = k + r * k_stride + h * size;
      const float *value = v + r * v_stride + h * size;
      const int64_t keys = a->keys + h * a->key_head + at;
      const int64_t values = a->values + h * a->value_head + at * size;
      if (a->type == F32) {
        for (int64_t d = 0; d < size; d++) {
          ((float *)block)[keys + d * a->block] = key[d];
          ((float *)block)[values + d] = value[d];
        }
      } else {
        for (int64_t d = 0; d < size; d++) {
          ((uint16_t *)block)[keys + d * a->block] = f16_of_float(key[d]);
          ((uint16_t *)block)[values + d] = f16_of_float(value[d]);
        }
      }
    }
  }
}
