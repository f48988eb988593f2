/* Operations on single rows of activations: norm, rotation, activation function, sums, maxima. */
#include "formats.h"

/* Pairs whose sines and cosines are kept at a time. */
#define PAIRS 64

INLINE double square_root(double x) {
#if defined(__AVX2__)
  return _mm_cvtsd_f64(_mm_sqrt_sd(_mm_setzero_pd(), _mm_set_sd(x)));
#else
  return vget_lane_f64(vsqrt_f64(vdup_n_f64(x)), 0);
#endif
}

/* Partial sums of 32 vectors at most are in float, the rest in double: long rows stay exact. */
INLINE double sum_of_squares(const float *x, int64_t count) {
  double total = 0;
  int64_t i = 0;
  while (i <= count - LANES) {
    int64_t end = i + 32 * LANES < count ? i + 32 * LANES : count;
    vf sum = vf_zero();
    for (; i <= end - LANES; i += LANES) {
      vf v = vf_load(x + i);
      sum = vf_fma(v, v, sum);
    }
    total += (double)vf_sum(sum);
  }
  for (; i < count; i++) {
    total += (double)x[i] * (double)x[i];
  }
  return total;
}

/*
 * out = x * rstd * weight with rstd = 1 / sqrt(mean(x * x) + eps). out, x: [rows, width], may be the
 * same; rstd: [rows], or 0; weight: [width].
 */
KERNEL(rms_norm)(float *out, float *rstd, const float *x, const float *weight, int64_t rows,
                 int64_t width, float eps) {
  for (int64_t r = 0; r < rows; r++) {
    const double mean = sum_of_squares(x, width) / (double)width;
    const float factor = (float)(1 / square_root(mean + (double)eps));
    int64_t i = 0;
    for (; i <= width - LANES; i += LANES) {
      vf_store(out + i, vf_mul(vf_mul(vf_load(x + i), vf_all(factor)), vf_load(weight + i)));
    }
    for (; i < width; i++) {
      out[i] = x[i] * factor * weight[i];
    }
    if (rstd) {
      rstd[r] = factor;
    }
    out += width;
    x += width;
  }
}

/*
 * Sines and cosines of angles, to the precision of float: Cody and Waite's reduction by pi / 2 in
 * three parts of 33 bits, exact for |angle| up to 2^20; then the polynomials of fdlibm's k_sin and
 * k_cos. Without branches, so that the compiler turns the loop into vectors.
 */
INLINE void angles(double position, const float *frequencies, int64_t count, double magnitude,
                   float *cosines, float *sines) {
  for (int64_t i = 0; i < count; i++) {
    /* The angle is a float product, as in the models' training. */
    const double x = (double)((float)position * frequencies[i]);
    const double round = 6755399441055744.0; /* 1.5 * 2^52: adding it rounds to an integer */
    union {
      double value;
      int64_t bits;
    } shifted = {x * 0.63661977236758134308 + round};
    const double n = shifted.value - round;
    double r = x - n * 1.57079632673412561417e+00;
    r -= n * 6.07710050630396597660e-11;
    r -= n * 2.02226624879595063154e-21;
    const double z = r * r;
    double s = 1.58969099521155010221e-10;
    s = s * z - 2.50507602534068634195e-08;
    s = s * z + 2.75573137070700676789e-06;
    s = s * z - 1.98412698298579493134e-04;
    s = s * z + 8.33333333332248946124e-03;
    s = s * z - 1.66666666666666324348e-01;
    s = r + r * z * s;
    double c = -1.13596475577881948265e-11;
    c = c * z + 2.08757232129817482790e-09;
    c = c * z - 2.75573143513906633035e-07;
    c = c * z + 2.48015872894767294178e-05;
    c = c * z - 1.38888888888741095749e-03;
    c = c * z + 4.16666666666666019037e-02;
    c = 1 - 0.5 * z + z * z * c;
    const int64_t quarter = shifted.bits;
    union {
      double value;
      int64_t bits;
    } sine = {quarter & 1 ? c : s}, cosine = {quarter & 1 ? s : c};
    sine.bits ^= (quarter & 2) << 62;
    cosine.bits ^= ((quarter + 1) & 2) << 62;
    sines[i] = (float)(magnitude * sine.value);
    cosines[i] = (float)(magnitude * cosine.value);
  }
}

/* Rotates pairs of one head: elements i and i + distance, `step` apart from pair to pair. */
INLINE void rotate(float *x, int64_t distance, int64_t step, int64_t count, const float *cosines,
                   const float *sines) {
  int64_t i = 0;
  if (step == 1) {
    for (; i <= count - LANES; i += LANES) {
      vf a = vf_load(x + i), b = vf_load(x + i + distance);
      vf c = vf_load(cosines + i), s = vf_load(sines + i);
      vf_store(x + i, vf_sub(vf_mul(a, c), vf_mul(b, s)));
      vf_store(x + i + distance, vf_fma(b, c, vf_mul(a, s)));
    }
  }
  for (; i < count; i++) {
    float a = x[i * step], b = x[i * step + distance];
    x[i * step] = a * cosines[i] - b * sines[i];
    x[i * step + distance] = b * cosines[i] + a * sines[i];
  }
}

/*
 * Rotates q and k in place by the angles position * frequency. q: [rows, q_width], k: the same, of
 * heads with 2 * pairs elements each; positions: [rows]; halves: 1 if element i makes a pair with
 * i + pairs, 0 if with its neighbour; direction: -1 turns back.
 */
KERNEL(rope)(float *q, int64_t q_width, float *k, int64_t k_width, const int32_t *positions,
             int64_t rows, const float *frequencies, int64_t pairs, float magnitude,
             int64_t halves, float direction) {
  float cosines[PAIRS], sines[PAIRS];
  const int64_t step = halves ? 1 : 2;
  const int64_t distance = halves ? pairs : 1;
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t first = 0; first < pairs; first += PAIRS) {
      const int64_t count = pairs - first < PAIRS ? pairs - first : PAIRS;
      angles(positions[r], frequencies + first, count, (double)magnitude, cosines, sines);
      for (int64_t i = 0; i < count; i++) {
        sines[i] *= direction;
      }
      for (int64_t head = first * step; head < q_width; head += 2 * pairs) {
        rotate(q + r * q_width + head, distance, step, count, cosines, sines);
      }
      for (int64_t head = first * step; head < k_width; head += 2 * pairs) {
        rotate(k + r * k_width + head, distance, step, count, cosines, sines);
      }
    }
  }
}

/* silu(gate) * up, with silu(x) = x / (1 + exp(-x)) */
INLINE vf gated(vf gate, vf up) {
  vf e = vf_exp(vf_sub(vf_zero(), gate));
  return vf_mul(vf_div(gate, vf_add(vf_all(1), e)), up);
}

/* out = silu(gate) * up, `count` elements; out may be one of the others. */
KERNEL(swiglu)(float *out, const float *gate, const float *up, int64_t count) {
  int64_t i = 0;
  for (; i <= count - LANES; i += LANES) {
    vf_store(out + i, gated(vf_load(gate + i), vf_load(up + i)));
  }
  if (i < count) {
    float rest[2][LANES] = {{0}};
    for (int64_t j = i; j < count; j++) {
      rest[0][j - i] = gate[j];
      rest[1][j - i] = up[j];
    }
    vf_store(rest[0], gated(vf_load(rest[0]), vf_load(rest[1])));
    for (int64_t j = i; j < count; j++) {
      out[j] = rest[0][j - i];
    }
  }
}

/* x += y, `count` elements */
KERNEL(add)(float *x, const float *y, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    x[i] += y[i];
  }
}

/* The first of the largest elements of x, [count]; some element if there is a NaN. */
KERNEL(argmax)(int32_t *out, const float *x, int64_t count) {
  float largest = x[0];
  int64_t i = 0;
  if (count >= LANES) {
    vf most = vf_load(x);
    for (; i <= count - LANES; i += LANES) {
      most = vf_max(most, vf_load(x + i));
    }
    largest = vf_largest(most);
  }
  for (; i < count; i++) {
    largest = x[i] > largest ? x[i] : largest;
  }
  *out = 0;
  for (i = 0; i < count; i++) {
    if (x[i] == largest) {
      *out = (int32_t)i;
      return;
    }
  }
}

/* Decodes a row of `count` elements that are stored each by itself. */
INLINE void decode(enum format type, float *out, const uint8_t *row, int64_t count) {
  int64_t i = 0;
  for (; i <= count - LANES; i += LANES) {
    vf_store(out + i, plain_load(type, row + i * plain_bytes(type)));
  }
  for (; i < count; i++) {
    out[i] = plain_one(type, row + i * plain_bytes(type));
  }
}

KERNEL(embed)(enum format type, float *out, const uint8_t *row, int64_t count) {
  if (type == F32) {
    decode(F32, out, row, count);
  } else if (type == F16) {
    decode(F16, out, row, count);
  } else if (type == BF16) {
    decode(BF16, out, row, count);
  } else {
    read_row(type, row, 0, count, out);
  }
}

/* Reads `bytes`, a multiple of 256, as fast as can be; out receives 4 bytes that depend on all. */
KERNEL(read)(float *out, const uint8_t *from, int64_t bytes) {
  vf sums[4] = {vf_zero(), vf_zero(), vf_zero(), vf_zero()};
  const int64_t step = 4 * LANES * 4;
  for (int64_t i = 0; i < bytes; i += step) {
    UNROLL
    for (int j = 0; j < 4; j++) {
      if (j * LANES * 4 % 64 == 0) {
        __builtin_prefetch(from + i + FAR + j * LANES * 4, 0, 2);
        __builtin_prefetch(from + i + NEAR + j * LANES * 4, 0, 3);
      }
      sums[j] = vf_add(sums[j], vf_load(from + i + j * LANES * 4));
    }
  }
  *out = vf_sum(vf_add(vf_add(sums[0], sums[1]), vf_add(sums[2], sums[3])));
}
