/* Gradients of operations on rows and on elements by themselves, the loss, and the optimizer. */
#include "grad_functions.h"

/* The last elements, fewer than a vector holds, as a vector; the others are 0. */
INLINE vf load_some(const float *x, int64_t count) {
  float all[LANES];
  for (int64_t i = 0; i < LANES; i++) {
    all[i] = i < count ? x[i] : 0;
  }
  return vf_load(all);
}

INLINE void store_some(float *to, vf x, int64_t count) {
  float all[LANES];
  vf_store(all, x);
  for (int64_t i = 0; i < count; i++) {
    to[i] = all[i];
  }
}

INLINE vf load(const float *x, int64_t count) {
  return count >= LANES ? vf_load(x) : load_some(x, count);
}

INLINE void store(float *to, vf x, int64_t count) {
  if (count >= LANES) {
    vf_store(to, x);
  } else {
    store_some(to, x, count);
  }
}

/*
 * Root-mean-square norm: dx (=) rstd * (g - n * mean(g * n)) with n = x * rstd, g = d_out * weight;
 * weight_sum (=) the sum of d_out * n over the rows. All [rows, width], but weight and weight_sum
 * [width] and rstd [rows].
 */
KERNEL(rms_norm_gradient)(float *dx, float *weight_sum, const float *d_out, const float *x,
                          const float *weight, const float *rstd, int64_t rows, int64_t width) {
  for (int64_t i = 0; i < width; i++) {
    weight_sum[i] = 0;
  }
  for (int64_t r = 0; r < rows; r++, dx += width, d_out += width, x += width) {
    vf sum = vf_zero();
    for (int64_t i = 0; i < width; i += LANES) {
      const int64_t left = width - i;
      vf product = vf_mul(load(d_out + i, left), load(x + i, left));
      sum = vf_fma(product, load(weight + i, left), sum);
      vf so_far = load(weight_sum + i, left);
      store(weight_sum + i, vf_fma(product, vf_all(rstd[r]), so_far), left);
    }
    const vf scale = vf_all(rstd[r]);
    const vf slope = vf_all(-vf_sum(sum) / (float)width * rstd[r] * rstd[r] * rstd[r]);
    for (int64_t i = 0; i < width; i += LANES) {
      const int64_t left = width - i;
      vf g = vf_mul(load(d_out + i, left), load(weight + i, left));
      store(dx + i, vf_fma(load(x + i, left), slope, vf_mul(g, scale)), left);
    }
  }
}

/*
 * With s = sigmoid(gate): d_gate = d_out * up * s * (1 + gate * (1 - s)), d_up = d_out * gate * s.
 * d_gate may be d_out.
 */
KERNEL(swiglu_gradient)(float *d_gate, float *d_up, const float *d_out, const float *gate,
                        const float *up, int64_t count) {
  const vf one = vf_all(1);
  for (int64_t i = 0; i < count; i += LANES) {
    const int64_t left = count - i;
    vf g = load(gate + i, left), d = load(d_out + i, left);
    vf s = vf_div(one, vf_add(one, vf_exp(vf_sub(vf_zero(), g))));
    vf slope = vf_mul(s, vf_fma(g, vf_sub(one, s), one));
    store(d_up + i, vf_mul(d, vf_mul(g, s)), left);
    store(d_gate + i, vf_mul(d, vf_mul(load(up + i, left), slope)), left);
  }
}

/* The largest of a row; NaN is passed over. */
static float largest(const float *x, int64_t count) {
  vf most = vf_all(-3.4e38f);
  int64_t i = 0;
  for (; i <= count - LANES; i += LANES) {
    most = vf_max(vf_load(x + i), most);
  }
  float found = vf_largest(most);
  for (; i < count; i++) {
    found = x[i] > found ? x[i] : found;
  }
  return found;
}

/* Elements whose sum is taken in F32; the sums' sum is a double. */
#define PIECE 1024

/* Sum of exp(x - offset); the exponentials go to `to` unless it is null. */
static double exponentials(float *to, const float *x, float offset, int64_t count) {
  double total = 0;
  for (int64_t at = 0; at < count; at += PIECE) {
    const int64_t end = count - at < PIECE ? count : at + PIECE;
    vf sum = vf_zero();
    int64_t i = at;
    for (; i <= end - LANES; i += LANES) {
      vf e = vf_exp(vf_sub(vf_load(x + i), vf_all(offset)));
      sum = vf_add(sum, e);
      if (to) {
        vf_store(to + i, e);
      }
    }
    total += vf_sum(sum);
    if (i < end) {
      float rest[LANES];
      vf_store(rest, vf_exp(vf_sub(load_some(x + i, end - i), vf_all(offset))));
      for (int64_t j = 0; i < end; i++, j++) {
        total += rest[j];
        if (to) {
          to[i] = rest[j];
        }
      }
    }
  }
  return total;
}

/*
 * Softmax cross-entropy: loss[r] = lse - logits[r][target], d_logits = (softmax - onehot) * scale;
 * 0 where the target is -1. d_logits may be logits, or null.
 */
KERNEL(cross_entropy)(float *loss, float *d_logits, const float *logits, const int32_t *targets,
                      float scale, int64_t rows, int64_t width) {
  for (int64_t r = 0; r < rows; r++, logits += width, d_logits += d_logits ? width : 0) {
    const int32_t target = targets[r];
    if (target < 0) {
      loss[r] = 0;
      for (int64_t i = 0; d_logits && i < width; i++) {
        d_logits[i] = 0;
      }
      continue;
    }
    const float offset = largest(logits, width);
    const double distance = (double)offset - logits[target];
    const double sum = exponentials(d_logits, logits, offset, width);
    loss[r] = (float)(distance + natural_log((float)sum));
    if (d_logits) {
      const vf factor = vf_all((float)(scale / sum));
      for (int64_t i = 0; i < width; i += LANES) {
        store(d_logits + i, vf_mul(load(d_logits + i, width - i), factor), width - i);
      }
      d_logits[target] -= scale;
    }
  }
}

/* sum[0] = the sum of the squares. */
KERNEL(sum_of_squares)(double *sum, const float *x, int64_t count) {
  double total = 0;
  for (int64_t at = 0; at < count; at += PIECE) {
    const int64_t end = count - at < PIECE ? count : at + PIECE;
    vf even = vf_zero(), odd = vf_zero();
    int64_t i = at;
    for (; i <= end - 2 * LANES; i += 2 * LANES) {
      vf a = vf_load(x + i), b = vf_load(x + i + LANES);
      even = vf_fma(a, a, even);
      odd = vf_fma(b, b, odd);
    }
    for (; i < end; i += LANES) {
      vf a = load(x + i, end - i);
      even = vf_fma(a, a, even);
    }
    total += vf_sum(vf_add(even, odd));
  }
  sum[0] = total;
}

/*
 * One step of AdamW. numbers: beta1, 1 - beta1, beta2, 1 - beta2, eps, 1 - lr * decay,
 * lr / (1 - beta1^t), 1 / (1 - beta2^t), clip.
 */
KERNEL(adamw)(float *weight, float *m, float *v, const float *gradient, const float *numbers,
              int64_t count) {
  const vf beta1 = vf_all(numbers[0]), rest1 = vf_all(numbers[1]);
  const vf beta2 = vf_all(numbers[2]), rest2 = vf_all(numbers[3]);
  const vf eps = vf_all(numbers[4]), keep = vf_all(numbers[5]), rate = vf_all(numbers[6]);
  const vf unbias = vf_all(numbers[7]), clip = vf_all(numbers[8]);
  for (int64_t i = 0; i < count; i += LANES) {
    const int64_t left = count - i;
    vf g = vf_mul(load(gradient + i, left), clip);
    vf first = vf_fma(beta1, load(m + i, left), vf_mul(rest1, g));
    vf second = vf_fma(beta2, load(v + i, left), vf_mul(rest2, vf_mul(g, g)));
    vf update = vf_div(vf_mul(rate, first), vf_add(vf_sqrt(vf_mul(second, unbias)), eps));
    store(m + i, first, left);
    store(v + i, second, left);
    store(weight + i, vf_sub(vf_mul(load(weight + i, left), keep), update), left);
  }
}
