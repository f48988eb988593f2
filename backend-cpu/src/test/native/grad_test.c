/*
 * Checks the kernels for training of one instruction set against scalar code in double precision.
 * For platforms where no Java runs in the build: see test.sh.
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

static float random_float(void) {
  static uint64_t state = 42;
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (float)(int32_t)(uint32_t)(state >> 32) * 0x1p-31f;
}

static void *memory(int64_t bytes) {
  void *p = malloc((size_t)bytes + 64);
  return (void *)(((intptr_t)p + 63) / 64 * 64); /* the process ends soon */
}

static float *floats(int64_t count) {
  float *x = memory(count * 4);
  for (int64_t i = 0; i < count; i++) {
    x[i] = random_float();
  }
  return x;
}

static float *copy(const float *x, int64_t count) {
  return memcpy(memory(count * 4), x, (size_t)count * 4);
}

static void expect(const char *what, double found, double expected, double bound) {
  if (!(fabs(found - expected) <= bound)) {
    if (failures++ < 20) {
      printf("%s: %.9g, expected %.9g\n", what, found, expected);
    }
  }
}

/* Forms: 0 c = a b, 1 c = a bT, 2 c += aT b in two ways. */
static void product(int rows, int depth, int columns, int form) {
  const int at = form == 2, bt = form == 1;
  float *a = floats(rows * depth), *b = floats(depth * columns), *c = floats(rows * columns);
  float *deep = copy(c, rows * columns), *old = copy(c, rows * columns);
  uint8_t *packed = memory((depth + 32) * 192 * (columns / 32 + 1));
  uint8_t *scratch = memory(2304 * (rows + columns + 96));
  k->grad_pack(packed, b, bt ? 1 : columns, bt ? depth : 1, depth, columns);
  k->grad_product(c, columns, a, at ? 1 : depth, at ? rows : 1, packed, rows, depth, columns, at,
                  scratch);
  if (at) {
    k->grad_product_deep(deep, columns, a, rows, b, columns, rows, depth, columns, scratch);
  }
  for (int i = 0; i < rows; i++) {
    for (int j = 0; j < columns; j++) {
      double sum = at ? old[i * columns + j] : 0;
      for (int d = 0; d < depth; d++) {
        sum += (double)a[at ? d * rows + i : i * depth + d] *
               b[bt ? j * depth + d : d * columns + j];
      }
      expect("product", c[i * columns + j], sum, 3e-6 * sqrt(depth + 1));
      if (at) {
        expect("deep product", deep[i * columns + j], sum, 3e-6 * sqrt(depth + 1));
      }
    }
  }
}

/* As struct sequence. */
struct table {
  const float *q, *k, *v;
  float *out, *lse;
  const float *d_out;
  float *dq, *dk, *dv;
  int64_t q_row, k_row, lse_row, heads, size, rows, window;
  int64_t drops, first_seed, second_seed, layer, first_head, first_row, threshold;
  float scale, factor;
};

static double dot(const float *a, const float *b, int count) {
  double sum = 0;
  for (int i = 0; i < count; i++) {
    sum += (double)a[i] * b[i];
  }
  return sum;
}

static void add(double *to, double factor, const float *x, int count) {
  for (int i = 0; i < count; i++) {
    to[i] += factor * x[i];
  }
}

static void compare(const char *what, const float *found, const double *expected, int count) {
  for (int i = 0; i < count; i++) {
    expect(what, found[i], expected[i], 2e-5 * (1 + fabs(expected[i])));
  }
}

/* Two query heads on one key head. */
static void attention(int rows, int size, int window) {
  const int heads = 2, width = heads * size;
  const float scale = 0.4f;
  struct table t = {.q = floats(rows * width), .k = floats(rows * size), .v = floats(rows * size)};
  double *out = calloc((size_t)(rows * width), 8), *dq = calloc((size_t)(rows * width), 8);
  double *dk = calloc((size_t)(rows * size), 8), *dv = calloc((size_t)(rows * size), 8);
  double *weights = malloc((size_t)rows * 8), *lse = malloc((size_t)(rows * heads) * 8);
  t.out = floats(rows * width), t.lse = floats(rows * heads), t.d_out = floats(rows * width);
  t.dq = floats(rows * width), t.dk = floats(rows * size), t.dv = floats(rows * size);
  t.q_row = width, t.k_row = size, t.lse_row = heads, t.heads = heads, t.size = size;
  t.rows = rows, t.window = window, t.scale = scale, t.factor = 1;
  uint8_t *scratch = memory((size + 31) / 32 * 32 * 10500 + 400000);
  for (int head = 0; head < heads; head++) {
    for (int block = 0; block <= rows / 120; block++) {
      k->sequence_attention((const struct sequence *)&t, head, block, scratch);
    }
  }
  k->sequence_gradient((const struct sequence *)&t, 0, 1, scratch);
  for (int r = 0; r < rows; r++) {
    const int first = window && r >= window ? r - window + 1 : 0;
    for (int head = 0; head < heads; head++) {
      const int at = r * width + head * size;
      double total = 0;
      for (int j = first; j <= r; j++) {
        weights[j] = exp(scale * dot(t.q + at, t.k + j * size, size));
        total += weights[j];
      }
      lse[r * heads + head] = log(total);
      for (int j = first; j <= r; j++) {
        weights[j] /= total;
        add(out + at, weights[j], t.v + j * size, size);
      }
      double correction = 0;
      for (int i = 0; i < size; i++) {
        correction += out[at + i] * t.d_out[at + i];
      }
      for (int j = first; j <= r; j++) {
        double slope =
            weights[j] * (dot(t.d_out + at, t.v + j * size, size) - correction) * scale;
        add(dq + at, slope, t.k + j * size, size);
        add(dk + j * size, slope, t.q + at, size);
        add(dv + j * size, weights[j], t.d_out + at, size);
      }
    }
  }
  compare("attention", t.out, out, rows * width);
  compare("lse", t.lse, lse, rows * heads);
  compare("dq", t.dq, dq, rows * width);
  compare("dk", t.dk, dk, rows * size);
  compare("dv", t.dv, dv, rows * size);
}

static void norm(int rows, int width) {
  float *dx = floats(rows * width), *sum = floats(width), *d_out = floats(rows * width);
  float *x = floats(rows * width), *weight = floats(width), *rstd = floats(rows);
  k->rms_norm_gradient(dx, sum, d_out, x, weight, rstd, rows, width);
  double *sums = calloc((size_t)width, 8);
  for (int r = 0; r < rows; r++) {
    double slope = 0;
    for (int i = 0; i < width; i++) {
      double n = (double)x[r * width + i] * rstd[r];
      slope += n * weight[i] * d_out[r * width + i] / width;
      sums[i] += n * d_out[r * width + i];
    }
    for (int i = 0; i < width; i++) {
      double g = (double)weight[i] * d_out[r * width + i];
      double n = (double)x[r * width + i] * rstd[r];
      expect("gradient of norm", dx[r * width + i], rstd[r] * (g - n * slope), 1e-5);
    }
  }
  compare("gradient of norm's weight", sum, sums, width);
}

static void elements(int count) {
  float *d = floats(count), *gate = floats(count), *up = floats(count);
  float *d_gate = floats(count), *d_up = floats(count);
  k->swiglu_gradient(d_gate, d_up, d, gate, up, count);
  double sum = 0, found;
  for (int i = 0; i < count; i++) {
    double s = 1 / (1 + exp(-(double)gate[i]));
    expect("d_gate", d_gate[i], d[i] * up[i] * s * (1 + gate[i] * (1 - s)), 1e-6);
    expect("d_up", d_up[i], d[i] * gate[i] * s, 1e-6);
    sum += (double)d[i] * d[i];
  }
  k->sum_of_squares(&found, d, count);
  expect("sum of squares", found, sum, 1e-6 * sum);
  const float numbers[9] = {0.9f, 0.1f, 0.95f, 0.05f, 1e-3f, 0.99f, 0.02f, 3, 0.5f};
  float *w = floats(count), *m = floats(count), *v = floats(count);
  float *old_w = copy(w, count), *old_m = copy(m, count);
  for (int i = 0; i < count; i++) {
    v[i] *= v[i];
  }
  float *old_v = copy(v, count);
  k->adamw(w, m, v, d, numbers, count);
  for (int i = 0; i < count; i++) {
    double g = d[i] * 0.5, first = 0.9 * old_m[i] + 0.1 * g, second = 0.95 * old_v[i] + 0.05 * g * g;
    expect("m", m[i], first, 1e-6);
    expect("v", v[i], second, 1e-6);
    expect("w", w[i], old_w[i] * 0.99 - 0.02 * first / (sqrt(second * 3) + 1e-3), 1e-5);
  }
}

static void loss(int rows, int width) {
  float *logits = floats(rows * width), *d = floats(rows * width), *found = floats(rows);
  int32_t *targets = memory(rows * 4);
  for (int r = 0; r < rows; r++) {
    targets[r] = r == 1 ? -1 : r * 7 % width;
  }
  k->cross_entropy(found, d, logits, targets, 0.25f, rows, width);
  for (int r = 0; r < rows; r++) {
    double total = 0;
    for (int i = 0; i < width; i++) {
      total += exp(logits[r * width + i]);
    }
    const int none = targets[r] < 0;
    expect("loss", found[r], none ? 0 : log(total) - logits[r * width + targets[r]], 1e-5);
    for (int i = 0; i < width; i++) {
      double p = exp(logits[r * width + i]) / total - (i == targets[r]);
      expect("gradient of loss", d[r * width + i], none ? 0 : p * 0.25, 1e-6);
    }
  }
}

int main(void) {
  llama_features(); /* asks for the matrix unit, where there is one */
  const int sizes[] = {1, 3, 33, 70, 150};
  for (int i = 0; i < 5; i++) {
    for (int j = 0; j < 5; j++) {
      for (int form = 0; form < 3; form++) {
        product(sizes[i], sizes[j], sizes[4 - (i + j) % 5], form);
      }
    }
    elements(sizes[i]);
    norm(5, sizes[i]);
    loss(3, sizes[i]);
  }
  product(40, 800, 40, 0);
  product(40, 800, 40, 2);
  attention(1, 5, 0);
  attention(140, 33, 0);
  attention(300, 64, 70);
#define TEXT(x) #x
#define NAME(x) TEXT(x)
  printf("%s, training: %s\n", NAME(LEVEL), failures ? "FAILED" : "all as expected");
  return failures != 0;
}
