/*
 * Checks the kernels of one instruction set against scalar code in double precision. For platforms
 * where no Java runs in the build: see test.sh. What the Java tests check on x86-64 besides is all
 * sizes and all operations.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "features.h"
#include "kernels.h"

extern const struct kernels NAMED(llama_, kernels, LEVEL);
static const struct kernels *const k = &NAMED(llama_, kernels, LEVEL);

static int failures;
static int has_tiles; /* whether many rows go through a matrix unit */

static uint32_t random_bits(void) {
  static uint64_t state = 42;
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 32);
}

/* In [-1, 1). */
static float random_float(void) { return (float)(int32_t)random_bits() * 0x1p-31f; }

static double half(const uint8_t *p) {
  uint16_t h = (uint16_t)(p[0] | p[1] << 8);
  int exponent = h >> 10 & 31;
  double fraction = h & 1023;
  double value = exponent ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24);
  return h & 0x8000 ? -value : value;
}

/* A random F16 of magnitude 2^-8 to 2^-6 at p. */
static void random_half(uint8_t *p) {
  uint16_t h = (uint16_t)((random_bits() & 0x83ff) | (7 + random_bits() % 2) << 10);
  memcpy(p, &h, 2);
}

static int bits(const uint8_t *p, int at) { return p[at >> 3] >> (at & 7) & 1; }

static void scale_and_min(const uint8_t *s, int g, int *scale, int *min) {
  *scale = g < 4 ? s[g] & 63 : (s[g + 4] & 15) | s[g - 4] >> 6 << 4;
  *min = g < 4 ? s[g + 4] & 63 : s[g + 4] >> 4 | s[g] >> 6 << 4;
}

/* Element i of a block of each format, after the description of the formats in ggml. */
static double q8_0(const uint8_t *b, int i) { return half(b) * (int8_t)b[2 + i]; }
static int nibble(const uint8_t *b, int i) { return i < 16 ? b[i] & 15 : b[i - 16] >> 4; }
static double q4_0(const uint8_t *b, int i) { return half(b) * (nibble(b + 2, i) - 8); }
static double q4_1(const uint8_t *b, int i) { return half(b) * nibble(b + 4, i) + half(b + 2); }
static double q5_0(const uint8_t *b, int i) {
  return half(b) * ((nibble(b + 6, i) | bits(b + 2, i) << 4) - 16);
}
static double q5_1(const uint8_t *b, int i) {
  return half(b) * (nibble(b + 8, i) | bits(b + 4, i) << 4) + half(b + 2);
}
static double q2_k(const uint8_t *b, int i) {
  int q = b[16 + i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
  return half(b + 80) * (b[i / 16] & 15) * q - half(b + 82) * (b[i / 16] >> 4);
}
static double q3_k(const uint8_t *b, int i) {
  int j = i / 16;
  int scale = (j < 8 ? b[96 + j] & 15 : b[88 + j] >> 4) | (b[104 + j % 4] >> j / 4 * 2 & 3) << 4;
  int q = b[32 + i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
  return half(b + 108) * (scale - 32) * ((q | (b[i % 32] >> i / 32 & 1) << 2) - 4);
}
static double k45(const uint8_t *b, int i, int q) {
  int scale, min;
  scale_and_min(b + 4, i / 32, &scale, &min);
  return half(b) * scale * q - half(b + 2) * min;
}
static double q4_k(const uint8_t *b, int i) {
  return k45(b, i, b[16 + i / 64 * 32 + i % 32] >> i % 64 / 32 * 4 & 15);
}
static double q5_k(const uint8_t *b, int i) {
  int low = b[48 + i / 64 * 32 + i % 32] >> i % 64 / 32 * 4 & 15;
  return k45(b, i, low | (b[16 + i % 32] >> i / 32 & 1) << 4);
}
static double q6_k(const uint8_t *b, int i) {
  int low = b[i / 128 * 64 + i % 64] >> i % 128 / 64 * 4 & 15;
  int high = b[128 + i / 128 * 32 + i % 32] >> i % 128 / 32 * 2 & 3;
  return half(b + 208) * (int8_t)b[192 + i / 16] * ((low | high << 4) - 32);
}

static double f32(const uint8_t *p, int i) {
  float value;
  memcpy(&value, p + 4 * i, 4);
  return value;
}
static double f16(const uint8_t *p, int i) { return half(p + 2 * i); }
static double bf16(const uint8_t *p, int i) {
  uint32_t word = (uint32_t)(p[2 * i] | p[2 * i + 1] << 8) << 16;
  float value;
  memcpy(&value, &word, 4);
  return value;
}

struct stored {
  const char *name;
  enum format type;
  double (*element)(const uint8_t *block, int i);
  int elements, bytes;
  int halves[2]; /* where F16 numbers are, or -1 */
};

static const struct stored formats[] = {
    {"f32", F32, f32, 1, 4, {-1, -1}},
    {"f16", F16, f16, 1, 2, {0, -1}},
    {"bf16", BF16, bf16, 1, 2, {-1, -1}},
    {"q8_0", Q8_0, q8_0, 32, 34, {0, -1}},
    {"q4_0", Q4_0, q4_0, 32, 18, {0, -1}},
    {"q4_1", Q4_1, q4_1, 32, 20, {0, 2}},
    {"q5_0", Q5_0, q5_0, 32, 22, {0, -1}},
    {"q5_1", Q5_1, q5_1, 32, 24, {0, 2}},
    {"q2_k", Q2_K, q2_k, 256, 84, {80, 82}},
    {"q3_k", Q3_K, q3_k, 256, 110, {108, -1}},
    {"q4_k", Q4_K, q4_k, 256, 144, {0, 2}},
    {"q5_k", Q5_K, q5_k, 256, 176, {0, 2}},
    {"q6_k", Q6_K, q6_k, 256, 210, {208, -1}},
};

static int is_plain(const struct stored *f) { return f->elements == 1; }

static void fill(const struct stored *f, uint8_t *block) {
  float plain = random_float();
  for (int i = 0; i < f->bytes; i++) {
    block[i] = (uint8_t)random_bits();
  }
  if (f->elements == 1) {
    memcpy(block, (uint8_t *)&plain + (f->bytes == 2 ? 2 : 0), (size_t)f->bytes);
  }
  for (int i = 0; i < 2; i++) {
    if (f->halves[i] >= 0) {
      random_half(block + f->halves[i]);
    }
  }
}

static void check(const char *what, int r, int o, double found, double expected, double bound) {
  if (!(fabs(found - expected) <= bound)) {
    if (failures++ < 20) {
      printf("%s [%d, %d]: %.9g, expected %.9g within %.3g\n", what, r, o, found, expected, bound);
    }
  }
}

/* Memory that begins at a cache line; `memory` is what to free. Windows has no aligned_alloc. */
static uint8_t *aligned(size_t bytes, void **memory) {
  *memory = malloc(bytes + 63);
  return (uint8_t *)(((uintptr_t)*memory + 63) & ~(uintptr_t)63);
}

/* By the kernels for few rows, or by those for many. */
static void multiply(const struct stored *f, int many, float *out, const float *x, int rows,
                     const uint8_t *w, int inputs, int outputs, int add) {
  size_t packed_bytes = (size_t)((rows + 31) / 32 * 32) * (size_t)((inputs + 255) / 256 * 256) * 6;
  void *packed_memory, *scratch_memory;
  uint8_t *packed = aligned(packed_bytes, &packed_memory);
  if (many) {
    uint8_t *scratch = aligned(1 << 20, &scratch_memory);
    for (int r = 0; r < rows; r += 32) {
      int part = rows - r < 32 ? rows - r : 32;
      k->pack(f->type, packed, r, x + r * inputs, inputs, part, inputs);
    }
    k->product_many(f->type, out, outputs, packed, rows, w, inputs, outputs, add, scratch);
    free(scratch_memory);
  } else if (is_plain(f)) {
    k->product(f->type, out, outputs, x, inputs, rows, w, inputs, outputs, add);
  } else {
    k->quantize(packed, x, inputs, rows, inputs);
    k->product_quantized(f->type, out, outputs, packed, rows, w, inputs, outputs, add);
  }
  free(packed_memory);
}

/* What tiles of a matrix unit lose of a product with quantised weights: both are rounded to BF16. */
static double lost(const struct stored *f, int many) {
  return !many || !has_tiles || is_plain(f) ? 0 : 0x1p-7;
}

static void product(const struct stored *f, int many, int rows, int inputs, int outputs, int add) {
  int row_bytes = inputs / f->elements * f->bytes;
  /* Not aligned, as in files; exactly as long as needed, for address checkers. */
  uint8_t *w = (uint8_t *)malloc((size_t)(outputs * row_bytes + 1)) + 1;
  float *x = malloc(sizeof(float) * (size_t)(rows * inputs));
  float *out = malloc(sizeof(float) * (size_t)(rows * outputs));
  for (int i = 0; i < outputs * row_bytes; i += f->bytes) {
    fill(f, w + i);
  }
  for (int i = 0; i < rows * inputs; i++) {
    x[i] = random_float();
  }
  for (int i = 0; i < rows * outputs; i++) {
    out[i] = 3;
  }
  multiply(f, many, out, x, rows, w, inputs, outputs, add);
  char what[64];
  snprintf(what, sizeof what, "%s%s %d x %d x %d", f->name, many ? " many" : "", rows, inputs,
           outputs);
  for (int r = 0; r < rows; r++) {
    for (int o = 0; o < outputs; o++) {
      double sum = add ? 3 : 0, magnitude = 3, squares = 0, products = 0;
      for (int i = 0; i < inputs; i++) {
        const uint8_t *block = w + o * row_bytes + i / f->elements * f->bytes;
        double a = x[r * inputs + i], b = f->element(block, i % f->elements);
        sum += a * b;
        magnitude += fabs(a * b);
        squares += b * b;
        products += a * b * a * b;
      }
      double rounding = is_plain(f) ? 0 : sqrt(squares) / 254;
      rounding = 4 * fmax(rounding, lost(f, many) * sqrt(products));
      check(what, r, o, out[r * outputs + o], sum, 1e-6 * magnitude + rounding);
    }
  }
  free(w - 1);
  free(x);
  free(out);
}

/* One group with a single 127 or -127: whatever the scale, rounding to int8 loses nothing. */
static void columns(const struct stored *f, int many) {
  uint8_t w[256 * 4];
  for (int i = 0; i < 256 / f->elements; i++) {
    fill(f, w + i * f->bytes);
  }
  for (int i = 0; i < 256; i++) {
    float x[256] = {0};
    float out;
    x[i] = i % 2 ? -127 : 127;
    multiply(f, many, &out, x, 1, w, 256, 1, 0);
    double expected = x[i] * f->element(w + i / f->elements * f->bytes, i % f->elements);
    double bound = 1e-3 + fmax(1e-5, lost(f, many)) * fabs(expected);
    check(f->name, many, i, out, expected, bound);
  }
}

static void products(const struct stored *f, int many) {
  int rows[] = {1, 2, 3, 4, 5, 7, 9, 17, 33};
  int block = f->elements;
  columns(f, many);
  product(f, many, 9, block == 1 ? 2101 : 2304, 70, 1); /* several blocks */
  product(f, many, 35, block == 1 ? 1030 : 1280, 300, 0);
  for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
    for (int blocks = 1; blocks < 20; blocks += 3) {
      int inputs = block == 1    ? blocks * blocks
                   : block == 32 ? blocks * 32
                                 : (blocks / 3 + 1) * 256;
      product(f, many, rows[r], inputs, 13, blocks & 1);
    }
  }
}

/* Attention of `rows` rows, the last at position count - 1; `parts` > 1: of one row, in parts. */
static void attention(int half_floats, int group, int size, int rows, int count, int window,
                      int parts) {
  enum { PAGE = 64, HEADS = 2 };
  const int pages = (count + PAGE - 1) / PAGE;
  const int bytes = half_floats ? 2 : 4;
  const int width = HEADS * group * size;
  const struct stored *f = &formats[half_floats ? 1 : 0];
  /* Keys [head][element][position], then values [head][position][element]. */
  const int plane = HEADS * PAGE * size;
  uint8_t *cache = malloc((size_t)(2 * plane * bytes * pages + 64));
  struct attention *a = calloc(1, sizeof *a + sizeof(int64_t) * (size_t)pages);
  float *q = malloc(sizeof(float) * (size_t)(rows * width));
  float *out = malloc(sizeof(float) * (size_t)(rows * width));
  float *kv = malloc(sizeof(float) * (size_t)(2 * rows * HEADS * size));
  float *work = malloc(sizeof(float) * HEADS *
                       (size_t)(rows * group * (size + 16 + PAGE + 2 + size) +
                                2 * PAGE * (size + 16) + 64));
  float *part = malloc(sizeof(float) * (size_t)(HEADS * parts * group * (size + 2)));
  double *weights = malloc(sizeof(double) * (size_t)count);
  for (int i = 0; i < 2 * plane * pages; i++) {
    fill(f, cache + i * bytes);
  }
  *a = (struct attention){.type = f->type, .out = (int64_t)(intptr_t)out, .out_stride = width,
                          .q = (int64_t)(intptr_t)q, .q_stride = width, .group = group,
                          .size = size, .position = count - rows, .window = window, .end = count,
                          .block = PAGE, .keys = 0, .key_head = PAGE * size, .values = plane,
                          .value_head = PAGE * size, .scale = 0.5f};
  for (int p = 0; p < pages; p++) {
    a->blocks[p] = (int64_t)(intptr_t)(cache + 2 * plane * bytes * p);
  }
  for (int i = 0; i < rows * width; i++) {
    q[i] = 4 * random_float();
  }
  for (int i = 0; i < 2 * rows * HEADS * size; i++) {
    kv[i] = random_float();
  }
  float *v = kv + rows * HEADS * size;
  k->append(a, kv, HEADS * size, v, HEADS * size, HEADS, 0, rows);
  char what[80];
  snprintf(what, sizeof what, "attention %s, group %d, size %d, %d of %d, window %d, %d parts",
           f->name, group, size, rows, count, window, parts);
  const int step = group * (size + 2);
  for (int p = 0; parts > 1 && p < parts; p++) {
    k->attention(a, 0, HEADS, 0, 1, count / PAGE * p / parts * PAGE,
                 p + 1 == parts ? count : count / PAGE * (p + 1) / parts * PAGE, work,
                 part + p * HEADS * step, 0);
  }
  for (int h = 0; h < HEADS; h++) {
    if (parts > 1) {
      k->attention_merge(a, h, 0, part + h * step, HEADS * step, parts);
    } else {
      k->attention(a, h, 1, 0, rows, 0, count, work, 0, 0);
    }
  }
  for (int r = 0; r < rows; r++) {
    const int position = count - rows + r;
    const int first = window && position >= window ? position - window + 1 : 0;
    for (int h = 0; h < HEADS * group; h++) {
      const int head = h / group;
      const float *query = q + r * width + h * size;
      double most = -INFINITY, total = 0;
      for (int p = first; p <= position; p++) {
        const uint8_t *page = cache + 2 * plane * bytes * (p / PAGE);
        double score = 0;
        for (int d = 0; d < size; d++) {
          double key = f->element(page, (head * size + d) * PAGE + p % PAGE);
          score += query[d] * key;
          if (p >= count - rows) {
            double stored = kv[((p - (count - rows)) * HEADS + head) * size + d];
            check(what, p, d, key, stored, half_floats ? 1e-3 : 0);
          }
        }
        weights[p] = 0.5 * score;
        most = fmax(most, weights[p]);
      }
      for (int p = first; p <= position; p++) {
        weights[p] = exp(weights[p] - most);
        total += weights[p];
      }
      for (int d = 0; d < size; d++) {
        double sum = 0;
        for (int p = first; p <= position; p++) {
          const uint8_t *page = cache + 2 * plane * bytes * (p / PAGE);
          sum += weights[p] / total *
                 f->element(page, plane + (head * PAGE + p % PAGE) * size + d);
        }
        check(what, r, h * size + d, out[r * width + h * size + d], sum, 2e-5);
      }
    }
  }
  free(cache);
  free(a);
  free(q);
  free(out);
  free(kv);
  free(work);
  free(part);
  free(weights);
}

static void attentions(void) {
  for (int half_floats = 0; half_floats < 2; half_floats++) {
    int sizes[] = {2, 6, 16, 20, 64};
    for (int s = 0; s < 5; s++) {
      for (int group = 1; group < 8; group++) {
        attention(half_floats, group, sizes[s], 1, 1, 0, 1);
        attention(half_floats, group, sizes[s], 1, 130, 50, 1);
        attention(half_floats, group, sizes[s], 1, 270, 0, 3);
        attention(half_floats, group, sizes[s], 9, 200, 0, 1);
        attention(half_floats, group, sizes[s], 33, 97, 40, 1);
      }
    }
  }
}

static void norm(int width) {
  float x[300], weight[300], out[600], rstd[2];
  double squares = 0;
  for (int i = 0; i < width; i++) {
    x[i] = random_float();
    weight[i] = random_float();
    squares += (double)x[i] * x[i];
  }
  k->rms_norm(out, rstd, x, weight, 1, width, 1e-5f);
  double factor = 1 / sqrt(squares / width + 1e-5);
  check("rstd", 0, width, rstd[0], factor, 1e-6 * factor);
  for (int i = 0; i < width; i++) {
    check("rms_norm", width, i, out[i], x[i] * factor * weight[i], 1e-6 * factor);
  }
}

static void rope(int pairs, int halves, float direction) {
  float q[600], before[600], frequencies[100];
  int32_t positions[] = {3, 70000};
  for (int i = 0; i < 4 * pairs; i++) {
    q[i] = before[i] = random_float();
    frequencies[i % pairs] = (float)(1.0 / (1 + i % pairs));
  }
  float none = 0;
  k->rope(q, 2 * pairs, &none, 0, positions, 2, frequencies, pairs, 1.5f, halves, direction);
  for (int r = 0; r < 2; r++) {
    for (int i = 0; i < pairs; i++) {
      int first = r * 2 * pairs + (halves ? i : 2 * i), second = first + (halves ? pairs : 1);
      double angle = (float)positions[r] * frequencies[i];
      double c = 1.5 * cos(angle), s = 1.5 * direction * sin(angle);
      check("rope", pairs, i, q[first], before[first] * c - before[second] * s, 1e-6);
      check("rope", pairs, i, q[second], before[second] * c + before[first] * s, 1e-6);
    }
  }
}

static void elementwise(int count) {
  float x[100] = {0}, y[100] = {0}, out[100];
  int32_t largest;
  for (int i = 0; i < count; i++) {
    x[i] = 20 * random_float();
    y[i] = random_float();
  }
  k->swiglu(out, x, y, count);
  k->argmax(&largest, y, count);
  for (int i = 0; i < count; i++) {
    check("swiglu", count, i, out[i], x[i] / (1 + exp(-x[i])) * y[i], 2e-5);
    check("argmax", count, i, y[largest] >= y[i], 1, 0);
  }
  memcpy(out, x, sizeof out);
  k->add(out, y, count);
  for (int i = 0; i < count; i++) {
    check("add", count, i, out[i], x[i] + y[i], 0);
  }
  for (int f = 0; f < 3; f++) {
    uint8_t stored[400];
    for (int i = 0; i < count; i++) {
      fill(&formats[f], stored + i * formats[f].bytes);
    }
    k->embed(formats[f].type, out, stored, count);
    for (int i = 0; i < count; i++) {
      check("embed", f, i, out[i], formats[f].element(stored, i), 0);
    }
  }
}

#define TEXT(x) #x
#define TEXT_OF(x) TEXT(x)

int main(void) {
  has_tiles = strcmp(TEXT_OF(LEVEL), "amx") == 0;
  int features = (int)llama_features(); /* asks for the tiles, too */
  for (size_t f = 0; f < sizeof formats / sizeof formats[0]; f++) {
    products(&formats[f], 0);
    if (k->product_many && (!is_plain(&formats[f]) || (has_tiles && formats[f].type != F32))) {
      products(&formats[f], 1);
    }
  }
  attentions();
  int widths[] = {1, 3, 4, 8, 15, 16, 17, 31, 33, 64, 70};
  for (int i = 0; i < 11; i++) {
    norm(widths[i]);
    norm(widths[i] + 200);
    elementwise(widths[i]);
    rope(widths[i], 0, 1);
    rope(widths[i], 1, -1);
  }
  printf("%s: features %d, %d failures\n", TEXT_OF(LEVEL), features, failures);
  return failures > 0;
}
